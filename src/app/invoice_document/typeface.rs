//! The fonts of the PDF: how wide text is, where it breaks, and the glyphs it is made of.

use std::iter;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider};

use super::DocumentError;

const REGULAR: &[u8] = include_bytes!("../../../assets/fonts/Roboto-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../../assets/fonts/Roboto-Bold.ttf");

/// Shown for a letter that the fonts do not have.
const UNKNOWN: char = '\u{FFFD}';

/// How heavy text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// Both fonts.
pub(super) struct Typefaces {
    regular: Typeface,
    bold: Typeface,
}

/// One font.
pub(super) struct Typeface {
    font: Font,
    face: FontRef<'static>,
    metrics: GlyphMetrics<'static>,
}

impl Typefaces {
    /// Reads the fonts that are in the program.
    ///
    /// # Errors
    /// [`DocumentError::Pdf`] if they cannot be read.
    pub fn load() -> Result<Self, DocumentError> {
        Ok(Self { regular: Typeface::read(REGULAR)?, bold: Typeface::read(BOLD)? })
    }

    pub const fn of(&self, weight: Weight) -> &Typeface {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }
}

impl Typeface {
    fn read(bytes: &'static [u8]) -> Result<Self, DocumentError> {
        let face = FontRef::new(bytes).map_err(|error| DocumentError::Pdf(error.to_string()))?;
        let font = Font::new(bytes.into(), 0);
        let font = font.ok_or_else(|| DocumentError::Pdf("a font cannot be read".to_owned()))?;
        // In parts of the em: sizes are multiplied in.
        let metrics = face.glyph_metrics(Size::new(1.0), LocationRef::default());
        Ok(Self { font, face, metrics })
    }

    pub fn font(&self) -> Font {
        self.font.clone()
    }

    /// The same text with [`UNKNOWN`] for what cannot be printed.
    pub fn printable(&self, text: &str) -> String {
        let charmap = self.face.charmap();
        text.chars().map(|letter| if charmap.map(letter).is_some() { letter } else { UNKNOWN }).collect()
    }

    /// In the unit of `size`.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.advance(letter)).sum::<f32>() * size
    }

    /// Glyphs of printable text, one for each letter.
    pub fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let glyph = |(at, letter): (usize, char)| {
            let id = GlyphId::new(self.glyph(letter).to_u32());
            let range = at..at.saturating_add(letter.len_utf8());
            KrillaGlyph::new(id, self.advance(letter), 0.0, 0.0, 0.0, range, None)
        };
        text.char_indices().map(glyph).collect()
    }

    /// Text in lines that are no wider than `width`: broken at spaces, and within words that are wider.
    pub fn wrapped(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut line = String::new();
        for word in self.printable(text).split_whitespace() {
            let space = if line.is_empty() { "" } else { " " };
            let longer = format!("{line}{space}{word}");
            if self.width(&longer, size) <= width {
                line = longer;
                continue;
            }
            lines.extend(Some(std::mem::take(&mut line)).filter(|line| !line.is_empty()));
            for letter in word.chars() {
                if !line.is_empty() && self.width(&line, size) + self.advance(letter) * size > width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(letter);
            }
        }
        lines.into_iter().chain(iter::once(line)).collect()
    }

    fn glyph(&self, letter: char) -> skrifa::GlyphId {
        self.face.charmap().map(letter).unwrap_or_default()
    }

    fn advance(&self, letter: char) -> f32 {
        self.metrics.advance_width(self.glyph(letter)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_nothing_is_lost() {
        let faces = Typefaces::load().unwrap();
        let face = faces.of(Weight::Regular);
        let long = "0x".to_owned() + &"f0".repeat(60);
        for (text, width) in [("one two three four five six", 40.0), (long.as_str(), 90.0), ("", 10.0), ("WWW", 1.0)] {
            let lines = face.wrapped(text, 9.0, width);
            let one_letter = |line: &String| line.chars().count() == 1;
            assert!(lines.iter().all(|line| face.width(line, 9.0) <= width || one_letter(line)), "{lines:?}");
            let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(without_spaces(&lines.concat()), without_spaces(text));
        }
        assert!(face.wrapped("one two three four five six", 9.0, 40.0).len() > 1);
    }

    #[test]
    fn what_cannot_be_printed_is_seen() {
        let faces = Typefaces::load().unwrap();
        for weight in [Weight::Regular, Weight::Bold] {
            let face = faces.of(weight);
            for (text, printable) in [
                ("Straße 1, Łódź, Ωмир €−", "Straße 1, Łódź, Ωмир €−"),
                ("東京\u{1F600}x", "\u{FFFD}\u{FFFD}\u{FFFD}x"),
            ] {
                assert_eq!(face.printable(text), printable);
            }
            let digits: Vec<_> = ('0'..='9').map(|digit| face.width(&digit.to_string(), 100.0)).collect();
            assert!(digits.iter().all(|width| *width > 40.0 && Some(width) == digits.first()), "{digits:?}");
            assert_ne!(face.glyph(UNKNOWN), skrifa::GlyphId::default());
        }
    }
}
