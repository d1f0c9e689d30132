//! Invoices as files: HTML, PDF, and the hours behind them as CSV.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::name::{InvoiceName, find_named};
use crate::app::billing::convert;
use crate::app::invoice_document::{DocumentError, InvoiceDocument, UsageOfInvoice, hours_of_invoice, load_document};
use crate::app::{App, AppError, Caller};
use crate::ledger::ReadTx;

/// A file, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl App {
    /// An invoice of the caller as one page of HTML.
    ///
    /// # Errors
    /// [`Code::NotFound`](crate::core::error_code::Code::NotFound).
    pub async fn invoice_html(&self, caller: &Caller, name: InvoiceName) -> Result<InvoiceFile, AppError> {
        let document = self.invoice_document(caller, name).await?;
        self.render(document, "html", |document| Ok(document.html()?.into_bytes())).await
    }

    /// An invoice of the caller as PDF.
    ///
    /// # Errors
    /// [`Code::NotFound`](crate::core::error_code::Code::NotFound).
    pub async fn invoice_pdf(&self, caller: &Caller, name: InvoiceName) -> Result<InvoiceFile, AppError> {
        let document = self.invoice_document(caller, name).await?;
        self.render(document, "pdf", InvoiceDocument::pdf).await
    }

    /// The hours behind each line of usage of an invoice of the caller, as CSV.
    ///
    /// # Errors
    /// [`Code::NotFound`](crate::core::error_code::Code::NotFound).
    pub async fn invoice_usage_csv(&self, caller: &Caller, name: InvoiceName) -> Result<InvoiceFile, AppError> {
        let customer = caller.customer;
        let read = move |tx: &ReadTx<'_>| {
            let invoice = convert::invoice_from(&find_named(tx, customer, name)?)?;
            let hours = hours_of_invoice(tx, &invoice)?;
            Ok::<_, AppError>((invoice, hours))
        };
        let (invoice, hours) = self.ledger.read(read).await?;
        let stem = match name {
            InvoiceName::Draft => format!("draft-{}", invoice.month),
            InvoiceName::Number(number) => number.to_string(),
        };
        let bytes = self.in_turn(move || UsageOfInvoice { invoice: &invoice, hours: &hours }.csv()).await??;
        Ok(InvoiceFile { name: format!("{stem}-usage.csv"), bytes })
    }

    async fn invoice_document(&self, caller: &Caller, name: InvoiceName) -> Result<InvoiceDocument, AppError> {
        let (customer, is_simulated, now) = (caller.customer, self.chain.is_simulated(), self.clock.now());
        let issuer = self.billing.issuer.clone();
        let read = move |tx: &ReadTx<'_>| {
            let invoice = find_named(tx, customer, name)?.invoice;
            Ok::<_, AppError>(load_document(tx, invoice, &issuer, is_simulated, now)?)
        };
        let document = self.ledger.read(read).await?;
        Ok(document.ok_or_else(|| crate::app::Refusal::of(crate::core::error_code::Code::NotFound))?)
    }

    /// Renders where it may take its time, a few at once.
    async fn render(
        &self,
        document: InvoiceDocument,
        ending: &str,
        render: fn(&InvoiceDocument) -> Result<Vec<u8>, DocumentError>,
    ) -> Result<InvoiceFile, AppError> {
        let name = format!("{}.{ending}", document.file_stem());
        let bytes = self.in_turn(move || render(&document)).await??;
        Ok(InvoiceFile { name, bytes })
    }

    /// Works where it may take its time, a few at once. The turn ends with the work, also if whoever asked is gone.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AppError> {
        let turn = Arc::clone(&self.billing.renderings).acquire_owned().await;
        let working = spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        working.await.map_err(|_| AppError::Panicked)
    }
}
