//! What a path on the command line has to be, where something is there already: a file where a
//! directory is meant, and the reverse, is wrong usage, and is reported before anything is done.
//!
//! # Does not
//!
//! Ask for anything to be there: the code that reads or makes it reports what is wrong.

use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};

/// A directory, if anything.
pub(super) fn directory() -> impl TypedValueParser<Value = PathBuf> {
    parser("a directory", |kind| kind.is_dir())
}

/// A file, a pipe or a device, if anything.
pub(super) fn file() -> impl TypedValueParser<Value = PathBuf> {
    parser("a file", |kind| !kind.is_dir() && !kind.is_socket())
}

/// Names of standard output. Output there goes by its descriptor, as for `-`: opened again, a file
/// would be written from its beginning.
const STANDARD_OUTPUT: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// A file, a pipe, a device or a directory, if anything; `-` for standard output by any name.
pub(super) fn file_or_directory() -> impl TypedValueParser<Value = PathBuf> {
    let any = PathBufValueParser::new().map(|path| {
        if STANDARD_OUTPUT.iter().any(|name| path == Path::new(name)) { "-".into() } else { path }
    });
    fitting(any, "a file or a directory", |kind| !kind.is_socket())
}

/// A socket, if anything.
pub(super) fn socket() -> impl TypedValueParser<Value = PathBuf> {
    parser("a socket", FileType::is_socket)
}

fn parser(
    expected: &'static str,
    fits: impl Fn(&FileType) -> bool + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = PathBuf> {
    fitting(PathBufValueParser::new(), expected, fits)
}

fn fitting(
    paths: impl TypedValueParser<Value = PathBuf>,
    expected: &'static str,
    fits: impl Fn(&FileType) -> bool + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = PathBuf> {
    paths.try_map(move |path| match got(&path, &fits) {
        Some(got) => Err(format!("it is {got}, expected {expected}")),
        None => Ok(path),
    })
}

/// What is there instead of what fits.
fn got(path: &Path, fits: &impl Fn(&FileType) -> bool) -> Option<&'static str> {
    let kind = fs::metadata(path).ok()?.file_type();
    let word = match () {
        () if fits(&kind) => return None,
        () if kind.is_dir() => "a directory",
        () if kind.is_file() => "a file",
        () if kind.is_socket() => "a socket",
        () if kind.is_fifo() => "a pipe",
        () => "a device",
    };
    Some(word)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn said(parser: &impl TypedValueParser<Value = PathBuf>, path: &Path) -> Option<String> {
        let command = clap::Command::new("x");
        let parsed = parser.parse_ref(&command, None, OsStr::new(path));
        parsed.err().map(|error| error.to_string())
    }

    #[test]
    fn each_kind_of_path_takes_what_it_is_for_and_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        let (directory, file, socket) = (directory(), file(), socket());
        let either = file_or_directory();
        for good in [folder.path().to_owned(), at("file"), at("nothing")] {
            assert_eq!(said(&either, &good), None, "{good:?}");
        }
        for good in [folder.path().to_owned(), at("nothing")] {
            assert_eq!(said(&directory, &good), None, "{good:?}");
        }
        for good in [at("file"), at("nothing"), PathBuf::from("/dev/stdin")] {
            assert_eq!(said(&file, &good), None, "{good:?}");
        }
        assert_eq!(said(&socket, &at("socket")), None);
        for (problem, text) in [
            (said(&directory, &at("file")), "it is a file, expected a directory"),
            (said(&directory, &at("socket")), "it is a socket, expected a directory"),
            (said(&file, folder.path()), "it is a directory, expected a file"),
            (said(&either, &at("socket")), "it is a socket, expected a file or a directory"),
            (said(&socket, &at("file")), "it is a file, expected a socket"),
            (said(&socket, folder.path()), "it is a directory, expected a socket"),
        ] {
            let problem = problem.unwrap();
            assert!(problem.contains(text), "{problem}");
        }
    }
}
