//! The files of `tuning/`: each has the values of its profile, with the reason, how it is known,
//! and the way back. `WHOISD_BLESS=1 cargo test --test tuning` writes them again from the profiles
//! and from `src/doctor/settings.rs`.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be read fails it")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use whoisd::config::{self, Flags};
use whoisd::doctor::Profile;
use whoisd::doctor::profile::{EMBEDDED, Wanted};
use whoisd::doctor::settings::{self, Form, SETTINGS, Setting};
use whoisd::port43::limits;
use whoisd::shard::system;

/// Written as comments: most machines have more by themselves, and `sysctl -p` would lower it.
const MORE_BY_DEFAULT: [&str; 3] =
    ["sysctl.fs.file-max", "sysctl.vm.max_map_count", "sysctl.net.ipv4.ip_local_port_range"];

/// Not there in every kernel: the sign makes systemd-sysctl skip them without an error.
const NOT_EVERYWHERE: [&str; 3] = [
    "sysctl.kernel.io_uring_disabled",
    "sysctl.kernel.numa_balancing",
    "sysctl.vm.zone_reclaim_mode",
];

const BEGIN: &str = "<!-- written by tests/tuning.rs: begin -->\n";
const END: &str = "<!-- end -->\n";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning").join(name)
}

fn profiles() -> Vec<Profile> {
    EMBEDDED.iter().map(|(name, text)| Profile::parse(name, text).unwrap()).collect()
}

/// Compares a file with its expected text, or writes it.
fn is(name: &str, expected: &str) {
    let path = path(name);
    if std::env::var_os("WHOISD_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, expected).unwrap();
    }
    let got = fs::read_to_string(&path).unwrap_or_default();
    assert!(got == expected, "tuning/{name} is not what its profile says; bless and review");
}

/// `text` as comment lines.
fn comment(text: &str) -> String {
    const CHARS_MAX: usize = 96;
    let mut out = String::new();
    let mut line = "#".to_owned();
    for word in text.split(' ') {
        if line.len() + word.len() >= CHARS_MAX && line.len() > 3 {
            out += &format!("{line}\n");
            line = "#  ".to_owned();
        }
        line += &format!(" {word}");
    }
    out + &line + "\n"
}

fn reason(setting: &Setting, undo: &str) -> String {
    comment(&format!("why: {}", setting.why))
        + &comment(&format!("how known: {}", setting.measured))
        + &comment(&format!("default: {}", default(setting)))
        + &comment(&format!("undo: {undo}"))
}

fn default(setting: &Setting) -> &'static str {
    if setting.default.is_empty() { "none" } else { setting.default }
}

fn head(profile: &Profile, what: &str, apply: &str, undo: &str) -> String {
    let name = &profile.name;
    comment(&format!("{what} of the profile {name}: {}.", profile.about))
        + &format!("# Written by tests/tuning.rs from ../{name}.toml.\n#\n# Apply: {apply}\n")
        + &format!("# Undo all: {undo}\n")
}

fn sysctl_conf(profile: &Profile) -> String {
    let file = "/etc/sysctl.d/90-whoisd.conf";
    let mut out = head(
        profile,
        "Kernel settings",
        &format!("install -m 644 sysctl.conf {file} && sysctl -p {file}"),
        &format!("rm {file}; the defaults return with the next boot, or each as below"),
    );
    out += "#\n# \"At least\" is what the profile means: keep a larger value that is there already\n\
            # (`whoisd doctor` shows both). A line that begins with \"-\" is for kernels that have the\n\
            # setting; `sysctl -p` names those that do not, and goes on.\n";
    for (setting, wanted) in profile.wanted() {
        let Some(name) = setting.sysctl() else { continue };
        let undo =
            format!("take the line out; sysctl -w {name}=VALUE, the one that doctor printed");
        let hash = if MORE_BY_DEFAULT.contains(&setting.key) { "#" } else { "" };
        let sign = if NOT_EVERYWHERE.contains(&setting.key) { "-" } else { "" };
        let value = match wanted {
            Wanted::Number(count) if name.ends_with("port_range") => {
                format!("32768 {}", 32_767 + count)
            }
            other => other.to_string(),
        };
        let least = if hash.is_empty() { "" } else { "# only where the machine has less:\n" };
        write!(out, "\n{}{least}{hash}{sign}{name} = {value}\n", reason(setting, &undo)).unwrap();
    }
    out
}

fn limits_conf(profile: &Profile) -> String {
    let folder = "/etc/systemd/system/whoisd.service.d";
    let restart = "systemctl daemon-reload && systemctl restart whoisd";
    let mut out = head(
        profile,
        "Limits of the server",
        &format!("install -D -m 644 limits.conf {folder}/limits.conf && {restart}"),
        &format!("rm {folder}/limits.conf && {restart}"),
    );
    out += "\n[Service]\n";
    for (key, line) in [("limits.open_files", "LimitNOFILE"), ("limits.locked_kib", "LimitMEMLOCK")]
    {
        let unit = if key.ends_with("kib") { "K" } else { "" };
        let value = profile.number(key).unwrap();
        let undo = "take the line out; deploy/whoisd.service has its own";
        let reason = reason(settings::of(key).unwrap(), undo);
        write!(out, "\n{reason}{line}={value}{unit}\n").unwrap();
    }
    out
}

/// Settings that no sysctl holds, as a unit whose stop takes them back.
fn host_unit(profile: &Profile) -> String {
    let unit = "/etc/systemd/system/whoisd-host.service";
    let word = |key| {
        let found = profile.wanted().find(|(setting, _)| setting.key == key).unwrap();
        (found.0, found.1.to_string())
    };
    let mut out = head(
        profile,
        "Settings of the host that sysctl does not hold",
        &format!("install -m 644 whoisd-host.service {unit} && systemctl enable --now whoisd-host"),
        &format!("systemctl disable --now whoisd-host && rm {unit}; it restores what was there"),
    );
    out += "\n[Unit]\nDescription=Host settings for the WHOIS server\nBefore=whoisd.service\n";
    out += "After=irqbalance.service\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
            RuntimeDirectory=whoisd-host\n";
    let (setting, irqbalance) = word("interrupts.irqbalance");
    if irqbalance == "stopped" {
        let mark = "/run/whoisd-host/irqbalance";
        write!(
            out,
            "\n{}ExecStart=/bin/sh -c 'systemctl is-active -q irqbalance || exit 0; touch {mark}; \
             systemctl --no-block stop irqbalance'\n\
             ExecStop=-/bin/sh -c 'test -e {mark} && systemctl --no-block start irqbalance'\n",
            reason(setting, "the ExecStop below")
        )
        .unwrap();
    }
    let huge = "/sys/kernel/mm/transparent_hugepage/enabled";
    let (setting, value) = word("pages.transparent_hugepage");
    let undo = "the ExecStop below";
    write!(
        out,
        "\n{}ExecStart=/bin/sh -c 'sed \"s/.*\\\\[//; s/\\\\].*//\" {huge} \
         >/run/whoisd-host/huge; echo {value} >{huge}'\n\
         ExecStop=-/bin/sh -c 'cat /run/whoisd-host/huge >{huge}'\n",
        reason(setting, undo)
    )
    .unwrap();
    let (setting, value) = word("cpu.governor");
    let loops = "for f in /sys/devices/system/cpu/cpufreq/policy*/scaling_governor; \
                 do test -e $$f || continue;";
    let keep = "/run/whoisd-host/$$(basename $$(dirname $$f))";
    write!(
        out,
        "\n{}ExecStart=/bin/sh -c '{loops} cat $$f >{keep}; echo {value} >$$f; done'\n\
         ExecStop=-/bin/sh -c '{loops} cat {keep} >$$f; done'\n",
        reason(setting, undo)
    )
    .unwrap();
    let (setting, value) = word("interrupts.cores");
    let text = format!(
        "interrupts.cores = \"{value}\" depends on the machine: `whoisd doctor` prints the \
         commands, and those that take them back. Why: {}",
        setting.why
    );
    write!(out, "\n{}", comment(&text)).unwrap();
    out + "\n[Install]\nWantedBy=multi-user.target\n"
}

fn whoisd_toml(profile: &Profile) -> String {
    let mut out = head(
        profile,
        "Settings of whoisd",
        "merge into /etc/whoisd/whoisd.toml, whoisd config check, systemctl restart whoisd",
        "take the lines out again and restart",
    );
    let number = |key: &str| profile.number(key).unwrap();
    let undo = "take the line out";
    out += "\n[server]\n\n";
    for key in ["shards.leave_per_node", "shards.threads_per_core"] {
        let setting = settings::of(key).unwrap();
        out += &comment(&format!("{key} = {}: {} wanted", number(key), setting.unit));
        out += &reason(setting, undo);
    }
    out += &comment(
        "The list depends on how the machine numbers its cores: `whoisd doctor --shards` shows \
         it, and prints the one that this profile wants, if it is another.",
    );
    out += "#cores = \"\"\n\n[port43]\n";
    for key in ["connections_per_shard_max", "answer_buffers_per_shard_max"] {
        let full = format!("whoisd.{key}");
        let setting = settings::of(&full).unwrap();
        write!(out, "\n{}{key} = {}\n", reason(setting, undo), number(&full)).unwrap();
    }
    out
}

/// The table of README.md.
fn table() -> String {
    let profiles = profiles();
    let mut out = "| setting | default |".to_owned();
    for profile in &profiles {
        write!(out, " {} |", profile.name).unwrap();
    }
    out += " why | how known | undo |\n|---|---|";
    out += &"---|".repeat(profiles.len());
    out += "---|---|---|\n";
    for setting in SETTINGS {
        write!(out, "| `{}` | {} |", setting.key, default(setting)).unwrap();
        for profile in &profiles {
            let wanted = profile.wanted().find(|(one, _)| one.key == setting.key).unwrap().1;
            let sign = match setting.form {
                Form::AtLeast => "at least ",
                Form::AtMost => "at most ",
                Form::Exactly | Form::Release | Form::Word(_) => "",
            };
            write!(out, " {sign}{wanted} |").unwrap();
        }
        writeln!(out, " {} | {} | {} |", setting.why, setting.measured, undo(setting)).unwrap();
    }
    out
}

fn undo(setting: &Setting) -> String {
    if let Some(name) = setting.sysctl() {
        return format!("`sysctl -w {name}=` and the former value");
    }
    let table = setting.key.split('.').next().unwrap();
    match table {
        "limits" => "take the line out of limits.conf",
        "whoisd" | "shards" => "take the line out of whoisd.toml",
        "cpu" | "pages" => "`systemctl stop whoisd-host`",
        "interrupts" if setting.key.ends_with("irqbalance") => "`systemctl start irqbalance`",
        "interrupts" => "the command that doctor prints",
        _ => "nothing to undo",
    }
    .to_owned()
}

#[test]
fn each_profile_has_its_files() {
    for profile in profiles() {
        let name = &profile.name;
        is(&format!("{name}/sysctl.conf"), &sysctl_conf(&profile));
        is(&format!("{name}/limits.conf"), &limits_conf(&profile));
        is(&format!("{name}/whoisd-host.service"), &host_unit(&profile));
        is(&format!("{name}/whoisd.toml"), &whoisd_toml(&profile));
    }
}

#[test]
fn the_server_takes_the_settings_of_each_profile() {
    for profile in profiles() {
        let file = path(&format!("{}/whoisd.toml", profile.name));
        let settings = config::load(Some(&file), &Flags::default()).unwrap().settings;
        let wanted = profile.number("whoisd.connections_per_shard_max").unwrap();
        assert_eq!(settings.port43.connections_max, wanted, "{}", profile.name);
    }
}

#[test]
fn each_setting_is_in_the_readme_and_says_how_it_is_known() {
    let readme = fs::read_to_string(path("README.md")).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    is("README.md", &format!("{before}{BEGIN}{}{END}{after}", table()));
    for setting in SETTINGS {
        let known = setting.measured;
        let honest = known.starts_with("measured") || known.starts_with("not measured here");
        assert!(honest, "{}: {known:?}", setting.key);
        assert!(!setting.why.is_empty(), "{}", setting.key);
    }
    assert!(SETTINGS.is_sorted_by_key(|setting| std::cmp::Reverse(setting.rank)));
}

/// By the kernels that count rings as locked memory, with as many cores as each is meant for.
#[test]
fn the_unit_and_the_profiles_allow_the_locked_memory_that_their_shards_need() {
    let need = |shards, connections| {
        let ring = system::ring_bytes(limits::Wanted::Auto, connections, 2);
        system::locked_bytes_by_release(shards, ring, "6.18.0")
    };
    let unit = include_str!("../deploy/whoisd.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("LimitMEMLOCK="));
    let mib: u64 = line.unwrap().strip_suffix('M').unwrap().parse().unwrap();
    assert!(need(128, 8_192) <= mib << 20, "{}", need(128, 8_192));
    let cores = [("small-2-core", 4), ("bl460c-2x4-64g", 32), ("dual-socket-64-core", 128)];
    for (profile, shards) in cores {
        let profile = Profile::load(profile).unwrap();
        let connections = profile.number("whoisd.connections_per_shard_max").unwrap();
        let needed_kib = need(shards, connections) >> 10;
        let kib = profile.number("limits.locked_kib").unwrap();
        assert!(needed_kib <= kib, "{}: {needed_kib} KiB", profile.name);
    }
}
