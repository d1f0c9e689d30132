//! The sheet as PDF/A-2u: for archives, with its fonts in it and text that can be copied.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use krilla::Document;
use krilla::SerializeSettings;
use krilla::color::rgb;
use krilla::configure::ConfigurationBuilder;
use krilla::configure::validate::Archival;
use krilla::geom::{PathBuilder, Point, Rect, Transform};
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;

use super::DocumentError;
use super::page::{HEIGHT, Ink, Piece, WIDTH, pages, rule_width};
use super::sheet::Sheet;
use super::typeface::{Typefaces, Weight};
use crate::core::calendar::UtcMillis;

/// The mark across the page.
const MARK_SIZE: f32 = 110.0;
const MARK_DEGREES: f32 = -28.0;

/// The bytes of the file: the same for the same sheet.
pub(super) fn pdf(sheet: &Sheet) -> Result<Vec<u8>, DocumentError> {
    let faces = Typefaces::load()?;
    let mut document = Document::new_with(settings()?);
    document.set_metadata(metadata(sheet));
    let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| broken("the size of a page is wrong"))?;
    for pieces in pages(sheet, &faces) {
        let mut page = document.start_page_with(size.clone());
        let mut surface = page.surface();
        draw_mark(&mut surface, &faces, sheet.mark);
        pieces.iter().for_each(|piece| draw(&mut surface, &faces, piece));
        surface.finish();
        page.finish();
    }
    document.finish().map_err(|error| broken(format!("{error:?}")))
}

fn settings() -> Result<SerializeSettings, DocumentError> {
    let configuration = ConfigurationBuilder::new().with_archival_validator(Archival::A2_U).finish();
    let configuration = configuration.map_err(|error| broken(format!("{error:?}")))?;
    Ok(SerializeSettings { configuration, ..SerializeSettings::default() })
}

fn metadata(sheet: &Sheet) -> Metadata {
    let metadata = Metadata::new()
        .title(sheet.title.clone())
        .language("en".to_owned())
        .creator("suiftly".to_owned())
        .authors(sheet.issuer.first().cloned().into_iter().collect())
        .document_id(sheet.title.clone());
    match date(sheet.dated) {
        Some(date) => metadata.creation_date(date),
        None => metadata,
    }
}

/// `None` outside the calendar.
fn date(at: UtcMillis) -> Option<DateTime> {
    let at = Timestamp::from_millisecond(at.0).ok()?.to_zoned(TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).ok();
    let date = DateTime::new(u16::try_from(at.year()).ok()?).month(part(at.month())?).day(part(at.day())?);
    let date = date.hour(part(at.hour())?).minute(part(at.minute())?).second(part(at.second())?);
    Some(date.utc_offset_hour(0).utc_offset_minute(0))
}

fn draw(surface: &mut Surface<'_>, faces: &Typefaces, piece: &Piece) {
    match piece {
        Piece::Text { x, y, size, weight, ink, text } => {
            surface.set_fill(Some(fill(*ink)));
            let face = faces.of(*weight);
            surface.draw_glyphs(Point::from_xy(*x, *y), &face.glyphs(text), face.font(), text, *size, false);
        }
        Piece::Rule { x, y, thickness, ink } => {
            surface.set_fill(Some(fill(*ink)));
            let mut path = PathBuilder::new();
            if let Some(rect) = Rect::from_xywh(*x, *y, rule_width(*x), *thickness) {
                path.push_rect(rect);
            }
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
    }
}

/// One word, turned around the middle of the page.
fn draw_mark(surface: &mut Surface<'_>, faces: &Typefaces, mark: &str) {
    let face = faces.of(Weight::Bold);
    let width = face.width(mark, MARK_SIZE);
    let (x, y) = (WIDTH / 2.0, HEIGHT / 2.0);
    surface.push_transform(&Transform::from_rotate_at(MARK_DEGREES, x, y));
    surface.set_fill(Some(fill(Ink::Mark)));
    let start = Point::from_xy(x - width / 2.0, y + MARK_SIZE / 3.0);
    surface.draw_glyphs(start, &face.glyphs(mark), face.font(), mark, MARK_SIZE, false);
    surface.pop();
}

fn fill(ink: Ink) -> Fill {
    let color = match ink {
        Ink::Text => rgb::Color::new(22, 32, 44),
        Ink::Muted => rgb::Color::new(90, 103, 118),
        Ink::Faint => rgb::Color::new(222, 227, 233),
        Ink::Mark => rgb::Color::new(243, 245, 248),
        Ink::Settled => rgb::Color::new(20, 83, 45),
        Ink::Open => rgb::Color::new(122, 72, 0),
    };
    Fill { paint: color.into(), ..Fill::default() }
}

fn broken(what: impl Into<String>) -> DocumentError {
    DocumentError::Pdf(what.into())
}
