//! A command line in one text, split as a shell would split it, without anything a shell would expand.

/// Splits at blanks outside quotes.
///
/// # Errors
/// An open quote, and what a shell would expand: nobody here knows to what.
pub(in crate::offline) fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, Some(open)) if letter == open => quote = None,
            ('$' | '`', Some('"') | None) => {
                return Err(format!("'{letter}' is for a shell: write what it stands for"));
            }
            ('\\', Some('"') | None) => {
                let escaped = letters.next().ok_or("a backslash at the end")?;
                if escaped != '\n' {
                    word.get_or_insert_default().push(escaped);
                }
            }
            (letter, None) if letter.is_whitespace() => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("a quote is open".to_owned());
    }
    words.extend(word);
    Ok(words)
}
