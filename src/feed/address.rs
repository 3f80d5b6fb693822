//! Where something is to go or to come from, as it is written: a URL or a directory.
//!
//! # Does not
//!
//! Read addresses: the code that takes one does.

/// The scheme of a text that was meant as a URL and lacks its slashes, such as `nats:127.0.0.1`.
/// Taken for the name of a directory, it would be made, and nobody would look there.
#[must_use]
pub fn scheme_without_slashes(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let is_word = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    (is_word && !rest.starts_with("//")).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_its_slashes_is_told_from_a_directory() {
        for (text, scheme) in [
            ("nats:127.0.0.1", Some("nats")),
            ("nats:/127.0.0.1", Some("nats")),
            ("s3:bucket/path", Some("s3")),
            ("file:/srv", Some("file")),
            ("localhost:4222", Some("localhost")),
            ("nats://127.0.0.1", None),
            ("/srv/a:b", None),
            ("./nats:127.0.0.1", None),
            ("spool", None),
            ("", None),
        ] {
            assert_eq!(scheme_without_slashes(text), scheme, "{text}");
        }
    }
}
