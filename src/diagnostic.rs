//! A mistake in a file somebody wrote: where it is, what it is, and what to write instead.
//!
//! Pure, and used by every room that reads an operator's text; [`render`] draws the caret.

use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

/// A text and the file it came from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file as it should be shown to the operator.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file works, but probably not as meant.
    Warning,
}

/// One mistake at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Byte range in the source; `None` for a mistake of the whole file.
    pub span: Option<Range<usize>>,
    /// What is wrong, lower-case, naming the object.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Source {
    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..self.boundary(offset)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// The nearest character boundary at or before an offset: the renderer panics on any other.
    fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

impl Severity {
    /// The word for it: `error`, `warning`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Draws diagnostics of one source, each with file, line, column, caret and help.
pub fn render(source: &Source, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&one(source, diagnostic, &renderer));
        out.push_str("\n\n");
    }
    out
}

fn one(source: &Source, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let path = source.path.to_string_lossy();
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str());
    let mut group = match &diagnostic.span {
        Some(span) => {
            let start = source.boundary(span.start);
            let end = source.boundary(span.end).max(start);
            title.element(
                Snippet::source(source.text.as_str())
                    .path(path.as_ref())
                    .annotation(AnnotationKind::Primary.span(start..end)),
            )
        }
        None => title.element(Origin::path(path.as_ref())),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn diagnostic(span: Option<Range<usize>>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            span,
            message: "no such thing".into(),
            help: Some("write another".into()),
        }
    }

    #[test]
    fn names_file_line_and_column() {
        let source = Source { path: "a.toml".into(), text: "x = 1\nyä = 2\n".into() };
        let text = render(&source, &[diagnostic(Some(12..13))], false);
        assert!(text.contains("error: no such thing"), "{text}");
        assert!(text.contains("--> a.toml:2:6"), "{text}");
        assert!(text.contains("help: write another"), "{text}");
        assert_eq!(source.place(12), (2, 6));
    }

    #[test]
    fn a_mistake_of_the_whole_file_names_the_file() {
        let source = Source { path: "a.toml".into(), text: String::new() };
        assert!(render(&source, &[diagnostic(None)], false).contains("--> a.toml"));
    }

    proptest! {
        #[test]
        fn any_span_in_any_text_can_be_drawn(text in any::<String>(), start in 0_usize..80, length in 0_usize..80) {
            let source = Source { path: "a.toml".into(), text };
            let drawn = render(&source, &[diagnostic(Some(start..start + length))], true);
            assert!(drawn.contains("no such thing"));
        }
    }
}
