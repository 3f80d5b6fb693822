//! Every command that the documents, the heads of units and the help texts print is run as printed,
//! or listed with the reason why it cannot be: `tests/printed/*.txt`, one file for each document.
//! Each page `docs/PAGE.md` has `tests/printed/docs/PAGE.txt`, also one that prints no command.
//!
//! A file has the document's commands in their order, and the lines needed between them:
//!
//! ```text
//! $ COMMAND         printed; has to end with 0
//! $1,3 COMMAND      printed; has to end with one of these
//! & COMMAND         printed; runs on until `.`; the server answers or says that it serves
//! - COMMAND         printed, and not run; the next line is `  because REASON`
//! : COMMAND         not printed: prepares the reader's machine; has to end with 0
//! :& COMMAND        not printed; runs on, like `&`
//! .                 ends the command that runs on
//! ```
//!
//! Each file runs in separate namespaces (mounts over /etc, /usr, /var, /srv and /run, processes,
//! a network with nothing but loopback), so that paths and ports are the printed ones and nothing
//! of the machine is touched. That takes root; elsewhere only the lists are compared.
//!
//! # Does not
//!
//! Read benches/*.md (their programs run in `tests/run`, at smoke size).
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What a printed command begins with.
const PROGRAMS: &[&str] = &[
    "cargo",
    "createdb",
    "curl",
    "deploy/demo",
    "echo",
    "for",
    "gpg",
    "install",
    "mv",
    "nats",
    "nats-server",
    "nft",
    "psql",
    "runuser",
    "rsync",
    "systemctl",
    "target/release/whois-loadgen",
    "tests/run",
    "useradd",
    "usermod",
    "whois",
    "whois-loadgen",
    "whoisd-web",
    "whoisd",
    "zcat",
];

/// The start of blocks that have no command.
const NO_COMMANDS: &[&str] =
    &["{", "[", "%ERROR", ">>>", "Domain Name:", "registry ──", "about =", "scrape_configs:"];

/// Document, and the file that runs it; see [`documents`] for those of `docs/`.
const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", "readme.txt"),
    ("loadgen/README.md", "loadgen.txt"),
    ("deploy/README.md", "deploy.txt"),
    ("deploy/RUNBOOK.md", "runbook.txt"),
    ("deploy/METRICS.md", "metrics.txt"),
    ("deploy/postgres/README.md", "postgres.txt"),
    ("tuning/README.md", "tuning.txt"),
    ("src/querylog/COUNTING.md", "counting.txt"),
];
const HEADS: &[(&str, &str)] = &[
    ("deploy/whoisd.service", "whoisd-service.txt"),
    ("deploy/whoisd-publish.service", "whoisd-publish-service.txt"),
    ("deploy/whoisd-web.service", "whoisd-web-service.txt"),
    ("deploy/nftables.conf", "nftables.txt"),
];
const HELPS: &[(&str, &str)] = &[
    ("whoisd", "help.txt"),
    ("whois-loadgen", "help-loadgen.txt"),
    ("whoisd-web", "help-web.txt"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn is_command(line: &str) -> bool {
    // Variables of the environment may come first.
    let is_variable = |word: &&str| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        let is_of_name =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        !name.is_empty() && name.bytes().all(is_of_name)
    };
    let word = line.split([' ', ';']).find(|word| !is_variable(word)).unwrap_or_default();
    PROGRAMS.contains(&word)
}

/// The commands of a block: lines that go on are joined as a shell does it. Fails on a block that
/// has commands and something else.
fn commands_of(place: &str, block: &[String]) -> Vec<String> {
    let Some(first) = block.iter().find(|line| !line.trim().is_empty()) else { return Vec::new() };
    if !block.iter().any(|line| is_command(line)) {
        let known = NO_COMMANDS.iter().any(|start| first.trim_start().starts_with(start));
        let comment = block.iter().all(|line| line.is_empty() || line.starts_with('#'));
        assert!(known || comment, "{place}: a block of what? {first:?}; see PROGRAMS, NO_COMMANDS");
        return Vec::new();
    }
    let mut commands: Vec<String> = Vec::new();
    let mut open = false;
    for line in block.iter().filter(|line| !line.trim().is_empty()) {
        if open {
            let last = commands.last_mut().unwrap();
            last.push('\n');
            last.push_str(line);
        } else if line.starts_with('#') {
            continue;
        } else {
            assert!(is_command(line), "{place}: {line:?} is no command that is known");
            commands.push(line.clone());
        }
        let last = commands.last().unwrap();
        open = last.ends_with('\\') || (last.starts_with("for ") && !last.ends_with("done"));
    }
    commands
        .iter()
        .map(|command| command.replace("\\\n", "").replace('\n', "; "))
        .map(tidy)
        .collect()
}

/// One blank between words, for the comparison; in quoted texts as well.
fn tidy(command: String) -> String {
    let words = command.split_whitespace().collect::<Vec<_>>().join(" ");
    words.replace("do; ", "do ")
}

/// The commands of a document in Markdown: of its fenced blocks, and those indented by four.
fn of_document(path: &str) -> Vec<String> {
    let (mut blocks, mut fenced) = (vec![Vec::new()], false);
    for line in read(path).lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            blocks.push(Vec::new());
        } else if fenced {
            blocks.last_mut().unwrap().push(line.trim_start().to_owned());
        } else if let Some(code) = line.strip_prefix("    ") {
            blocks.last_mut().unwrap().push(code.trim_start().to_owned());
        } else if !line.is_empty() {
            blocks.push(Vec::new());
        }
    }
    blocks.iter().flat_map(|block| commands_of(path, block)).collect()
}

/// The commands of a head: comments indented by three.
fn of_head(path: &str) -> Vec<String> {
    let text = read(path);
    let head = text.lines().take_while(|line| line.starts_with('#'));
    let code =
        head.filter_map(|line| line.strip_prefix("#   ")).map(|line| line.trim_start().to_owned());
    commands_of(path, &code.collect::<Vec<_>>())
}

/// Runs a program of this build and gives what it prints.
fn printed(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("COLUMNS", "200").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The examples of the help of every subcommand, and of theirs.
fn of_help(program: &Path, path: &[&str]) -> Vec<String> {
    let mut arguments = vec!["help"];
    arguments.extend(path);
    let help = printed(program, &arguments);
    let mut commands = Vec::new();
    let mut sections = help.lines().skip_while(|line| *line != "Examples:");
    sections.next();
    for line in sections.take_while(|line| line.starts_with("  ")) {
        // Some have words after them, in a separate column.
        let command = line.trim().split("      ").next().unwrap().to_owned();
        match commands.last_mut().filter(|_| !is_command(&command)) {
            // Wrapped at the width of the page.
            Some(last) => *last = tidy(format!("{last} {command}")),
            None => commands.push(tidy(command)),
        }
    }
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let below = listed.take_while(|line| line.starts_with("  "));
    for name in below.filter(|line| !line.starts_with("   ")) {
        let name = name.split_whitespace().next().unwrap();
        if name != "help" {
            let deeper: Vec<_> = path.iter().copied().chain([name]).collect();
            commands.extend(of_help(program, &deeper));
        }
    }
    commands
}

fn whoisd() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_whoisd"))
}

/// A program of this build, which another package may make. They are made once: cargo puts the
/// files in place again each time, while another test may be starting them.
fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--bins"])
            .args(["--package", "whois-loadgen", "--package", "whoisd-web"])
            .current_dir(root())
            .status();
        assert!(built.unwrap().success());
    });
    whoisd().with_file_name(name)
}

/// One line of a file.
#[derive(Debug)]
enum Step {
    Run { statuses: Vec<i32>, command: String },
    Serve(String),
    Never(String),
    Prepare(String),
    PrepareServe(String),
    Stop,
}

fn steps(name: &str) -> Vec<Step> {
    let text = read(&format!("tests/printed/{name}"));
    let mut steps = Vec::new();
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let Some(line) = lines.next() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.to_owned();
        steps.push(match mark {
            "&" => Step::Serve(rest),
            ":&" => Step::PrepareServe(rest),
            ":" => Step::Prepare(rest),
            "." => Step::Stop,
            "-" => {
                let why = lines.next().unwrap_or_default();
                assert!(why.starts_with("  because "), "{name}: why is `{rest}` not run? {why:?}");
                Step::Never(rest)
            }
            _ => {
                let numbers = mark.strip_prefix('$').unwrap_or_else(|| panic!("{name}: {line:?}"));
                let numbers = numbers.split(',').filter(|number| !number.is_empty());
                let statuses: Vec<i32> = numbers.map(|number| number.parse().unwrap()).collect();
                let statuses = if statuses.is_empty() { vec![0] } else { statuses };
                Step::Run { statuses, command: rest }
            }
        });
    }
    steps
}

/// Compares a file with the document: the same commands in the same order.
fn compare(place: &str, name: &str, printed: &[String]) {
    let listed: Vec<_> = steps(name)
        .into_iter()
        .filter_map(|step| match step {
            Step::Run { command, .. } | Step::Serve(command) | Step::Never(command) => {
                Some(tidy(command))
            }
            Step::Prepare(_) | Step::PrepareServe(_) | Step::Stop => None,
        })
        .collect();
    for (number, (printed, listed)) in printed.iter().zip(&listed).enumerate() {
        assert_eq!(printed, listed, "{place}, command {}; tests/printed/{name}", number + 1);
    }
    let (more, stale) = (printed.get(listed.len()), listed.get(printed.len()));
    assert_eq!(more, None, "{place}: it is not in tests/printed/{name}");
    assert_eq!(stale, None, "tests/printed/{name}: {place} does not print it any more");
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The script of a file, for tests/printed/sandbox.
fn script(name: &str) -> String {
    let mut script = String::new();
    for step in steps(name) {
        // Writing to a String cannot fail.
        let _ = match step {
            Step::Run { statuses, command } => {
                let statuses: Vec<_> = statuses.iter().map(ToString::to_string).collect();
                writeln!(script, "run {} {}", quoted(&statuses.join(" ")), quoted(&command))
            }
            Step::Serve(command) | Step::PrepareServe(command) => {
                writeln!(script, "serve {}", quoted(&command))
            }
            Step::Prepare(command) => writeln!(script, "run 0 {}", quoted(&command)),
            Step::Stop => writeln!(script, "stop"),
            Step::Never(_) => Ok(()),
        };
    }
    script
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root() && std::env::var_os("WHOISD_NO_NAMESPACES").is_none()
}

/// Runs the commands that are listed for some documents.
fn run_all(names: &[&str]) {
    if !is_root() {
        return;
    }
    let _built = program("whoisd");
    for name in names {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        fs::write(&path, script(name)).unwrap();
        let output = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "bash"])
            .arg(root().join("tests/printed/sandbox"))
            .args([root(), whoisd().parent().unwrap(), &path])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tests/printed/{name}:\n{text}\n{errors}");
    }
}

/// Names of the files of a folder with that ending, without it.
fn files_of(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

/// Every document and its file: [`DOCUMENTS`], and each page of `docs/`.
fn documents() -> Vec<(String, String)> {
    let named = DOCUMENTS.iter().map(|(path, name)| ((*path).to_owned(), (*name).to_owned()));
    let pages = files_of("docs", ".md").into_iter();
    named.chain(pages.map(|page| (format!("docs/{page}.md"), format!("docs/{page}.txt")))).collect()
}

#[test]
fn every_page_of_the_manual_has_a_list_and_every_list_a_document() {
    let (pages, lists) = (files_of("docs", ".md"), files_of("tests/printed/docs", ".txt"));
    assert_eq!(pages, lists, "pages in docs/, and lists in tests/printed/docs/");
    assert!(pages.len() > 10, "the walk finds only {pages:?}");
    let named = [DOCUMENTS, HEADS, HELPS].concat();
    let named = named.iter().map(|(_, name)| name.trim_end_matches(".txt").to_owned());
    let files = files_of("tests/printed", ".txt");
    assert_eq!(named.collect::<BTreeSet<_>>(), files, "lists named here, and in tests/printed/");
}

/// The answer in README.md is the start of the sample's, whatever the sample's size.
#[test]
fn the_answer_of_the_readme_is_one_of_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    printed(&whoisd(), &["sample", "--quiet", "--domains", "100", "--into", directory]);
    let answer = printed(&whoisd(), &["lookup", "--dir", directory, "example.demo"]);
    let readme = read("README.md");
    let shown = readme.split("```\n").nth(1).unwrap();
    assert!(shown.starts_with("Domain Name: example.demo\n"), "{shown}");
    assert!(answer.replace("\r\n", "\n").starts_with(shown), "{shown}\n{answer}");
}

#[test]
fn every_printed_command_is_listed_and_none_that_is_not_printed_any_more() {
    for (path, name) in documents() {
        compare(&path, &name, &of_document(&path));
    }
    for (path, name) in HEADS {
        compare(path, name, &of_head(path));
    }
    for (program, name) in HELPS {
        let path = crate::program(program);
        compare(&format!("{program} help"), name, &of_help(&path, &[]));
    }
}

#[test]
fn the_commands_of_the_documents_work_as_printed() {
    let documents = documents();
    let names: Vec<_> = documents.iter().map(|(_, name)| name.as_str()).collect();
    run_all(&names);
}

#[test]
fn the_commands_of_the_heads_of_units_work_as_printed() {
    let names: Vec<_> = HEADS.iter().map(|(_, name)| *name).collect();
    run_all(&names);
}

#[test]
fn the_examples_of_help_texts_work_as_printed() {
    let names: Vec<_> = HELPS.iter().map(|(_, name)| *name).collect();
    run_all(&names);
}

#[test]
fn blocks_are_read_as_a_shell_reads_them() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let block =
        lines("# first\nwhoisd a \\\n    --b c\nfor x in 1; do\n    psql $x\ndone\nwhois d");
    let commands = commands_of("here", &block);
    assert_eq!(commands, ["whoisd a --b c", "for x in 1; do psql $x; done", "whois d"]);
    assert_eq!(commands_of("here", &lines("{\"v\":1}")), Vec::<String>::new());
    for bad in ["unknown --x", "whoisd a\nunknown b"] {
        assert!(std::panic::catch_unwind(|| commands_of("here", &lines(bad))).is_err(), "{bad}");
    }
}
