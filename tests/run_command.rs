//! `tests/run` itself, in a folder with a fake cargo: it goes on after a failure, names all
//! failures at its end, and shows cargo's output while it works.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// Fails if `FAILING` names its first argument, and prints what the real one would.
const CARGO: &str = r#"#!/bin/sh
echo "called: $*"
echo "   Compiling everything" >&2
case " $FAILING " in
*" $1 "*) ;;
*) echo "test result: ok. 7 passed; 0 failed"; exit 0 ;;
esac
[ "$1" = test ] || exit 1
cat <<'END'
     Running unittests src/lib.rs (target/debug/deps/whoisd-1)
running 3 tests
F..
failures:

---- port43::answers stdout ----
    a line of the test's own

failures:
    port43::answers
    port43::closes

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out
     Running tests/serve.rs (target/debug/deps/serve-1)
test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
   Doc-tests whoisd
failures:
    src/lib.rs - (line 7)

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
error: 2 targets failed:
    `-p whoisd --lib`
    `-p whoisd --doc`
END
exit 101
"#;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs it where the commands of cargo that `failing` names fail, and the demo and the check of
/// dependencies if these are named.
fn run(failing: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    write(&place("tests/run"), include_str!("run"));
    write(&place("README.md"), include_str!("../README.md"));
    write(&place("benches/benches/lookup.rs"), "");
    write(&place("benches/src/bin/scale.rs"), "");
    write(&place("bin/cargo"), CARGO);
    write(&place("deploy/packages"), "#!/bin/sh\necho packages: \"$@\"\n");
    for (script, word) in [("deploy/demo", "demo"), ("tests/deny", "deny")] {
        let outcome = if failing.contains(word) { "false" } else { "true" };
        write(&place(script), &format!("#!/bin/sh\n{outcome}\n"));
    }
    let path = format!("{}:{}", place("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(place("tests/run"));
    command.env("PATH", path).env("FAILING", failing).output().unwrap()
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn a_run_without_a_failure_says_so_at_its_end_and_how_long_it_takes_at_its_start() {
    let output = run("");
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let last = stdout.lines().last().unwrap();
    assert!(last.starts_with("all passed in "), "{said}");
    let first = stdout.lines().next().unwrap();
    assert!(first.starts_with("This takes ") && first.contains(" minutes"), "{said}");
    for part in ["test result: ok. 7 passed", "   Compiling everything", "- lookup", "- scale"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(!said.contains("--quiet --"), "cargo is to show its progress: {said}");
}

#[test]
fn a_run_goes_on_after_failures_and_names_each_of_them_at_its_end() {
    let output = run("fmt test bench demo");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let (before, end) = said.split_once("\nFAILED in ").expect("it says so");
    assert!(before.contains("called: clippy") && before.contains("called: run"), "{said}");
    for part in [
        "format\n",
        "    src/lib.rs: port43::answers\n",
        "    src/lib.rs: port43::closes\n",
        "    documents of whoisd: src/lib.rs - (line 7)\n",
        "    again: cargo test -p whoisd --lib\n",
        "    again: cargo test -p whoisd --doc\n",
        "benchmarks, smoke size\n    lookup\n",
        "demo\n",
    ] {
        assert!(end.contains(part), "no {part:?} in {end}");
    }
    for other in ["lints", "scale", "serve", "a line of the test's own"] {
        assert!(!end.contains(other), "{other:?} has not failed: {end}");
    }
}

#[test]
fn any_one_failure_is_enough() {
    for failing in ["fmt", "clippy", "doc", "deny", "test", "bench", "run", "demo"] {
        let output = run(failing);
        assert_eq!(output.status.code(), Some(1), "{failing}: {}", text(&output));
    }
}
