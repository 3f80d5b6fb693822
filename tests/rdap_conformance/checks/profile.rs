//! ICANN's response profile 2.2 (RP): answers about domains and nameservers. `registrar` has
//! their entities, `redaction` what is hidden.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Findings, Report, is_roid, repository};
use crate::asked::{Answer, Class, elements};
use crate::iana;

/// The repository identifier that ICANN keeps for its tests.
pub(super) const ICANNS_TESTS: &str = "ICANNRST";

/// RP 1.2.2.
pub(super) fn no_scripts(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let text = answer.json.to_string().to_ascii_lowercase();
    let is_script = ["<script", "javascript:"].iter().any(|script| text.contains(script));
    report.needs(-40100, "", !is_script);
    report.0
}

/// RP 2.3.1.1 to 2.3.1.3, 2.7.6, 3.3, 4.4.
pub(super) fn events(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let events = elements(&answer.json["events"]);
    let has = |action: &str| events.iter().any(|event| event["eventAction"] == action);
    let class = answer.class();
    if matches!(class, Class::Domain | Class::Nameserver | Class::Entity) {
        report.needs(-43100, "", has("last update of RDAP database"));
    }
    if class == Class::Domain {
        report.needs(-46300, "", has("registration"));
        report.needs(-46400, "", has("expiration"));
    }
    report.0
}

/// RP 2.1, 4.1.
pub(super) fn name_asked(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let (ldh, unicode) = match answer.class() {
        Class::Domain => (-46100, -46101),
        Class::Nameserver => (-49100, -49101),
        _ => return report.0,
    };
    let name = answer.name_asked();
    let has = |member: &str| answer.json.get(member).is_some();
    report.needs(ldh, &name, !name.is_ascii() || has("ldhName"));
    report.needs(unicode, &name, name.is_ascii() || has("unicodeName"));
    report.0
}

/// Checks a handle that has to be a repository object identifier. Its codes: not of that form, of
/// an unregistered repository, of ICANN's tests (0: not checked).
pub(super) fn handle(
    handle: &Value,
    [form, registered, of_tests]: [i32; 3],
    what: &str,
    report: &mut Report,
) {
    let text = handle.as_str().unwrap_or_default();
    let what = format!("{what}: {handle}");
    if !report.needs(form, &what, is_roid(text)) {
        return;
    }
    let is_of_tests = repository(text) == ICANNS_TESTS;
    if of_tests != 0 {
        report.needs(of_tests, &what, !is_of_tests);
    }
    report.needs(registered, &what, is_of_tests || iana::is_repository(repository(text)));
}

/// RP 2.2.
pub(super) fn domain_handle(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    let redaction = answer.redaction("Registry Domain ID");
    if let Some(value) = answer.json.get("handle") {
        handle(value, [-46200, -46201, -46205], "domain", &mut report);
        report.needs(-46206, "", redaction.is_none());
    } else if let Some(entry) = redaction {
        let is_path = entry.get("prePath").is_none_or(|path| path == "$.handle");
        report.needs(-46203, entry.to_string(), is_path);
        let is_removal = entry.get("method").is_none_or(|method| method == "removal");
        report.needs(-46204, entry.to_string(), is_removal);
    } else {
        report.needs(-46202, "", false);
    }
    report.0
}

/// RP 2.6.3, 2.10: the first code, then title, description, link and relation of each notice of a
/// domain. The other codes follow the first one.
const NOTICES: [(i32, &str, &str, &str, &str); 2] = [
    (
        -46601,
        "Status Codes",
        "For more information on domain status codes, please visit https://icann.org/epp",
        "https://icann.org/epp",
        "glossary",
    ),
    (
        -46701,
        "RDDS Inaccuracy Complaint Form",
        "URL of the ICANN RDDS Inaccuracy Complaint Form: https://icann.org/wicf",
        "https://icann.org/wicf",
        "help",
    ),
];

pub(super) fn notices(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    for (code, title, text, href, relation) in NOTICES {
        let notices = elements(&answer.json["notices"]);
        let Some(notice) = notices.iter().find(|notice| notice["title"] == title) else {
            report.needs(code, title, false);
            continue;
        };
        // Blanks and a final point do not count.
        let words = |text: &str| {
            let text = text.trim_end_matches(['.', '!']);
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let is_text = |line: &Value| line.as_str().is_some_and(|line| words(line) == text);
        let has_text = elements(&notice["description"]).iter().any(is_text);
        report.needs(code - 1, title, has_text);
        if !report.needs(code - 2, title, notice.get("links").is_some()) {
            continue;
        }
        let link = elements(&notice["links"]).iter().find(|link| link["href"] == href);
        report.needs(code - 3, title, link.is_some());
        let Some(link) = link else { continue };
        report.needs(code - 4, title, link["rel"] == relation);
        report.needs(code - 5, title, link["value"] == answer.url.as_str());
    }
    report.0
}

/// RP 2.10 of the profile of 2019.
pub(super) fn secure_dns(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    let Some(secure) = answer.json.get("secureDNS") else {
        report.needs(-46800, "", false);
        return report.0;
    };
    report.needs(-46801, secure.to_string(), secure.get("delegationSigned").is_some());
    let has_data = secure.get("dsData").is_some() || secure.get("keyData").is_some();
    let is_signed = secure["delegationSigned"] == true;
    report.needs(-46802, secure.to_string(), !is_signed || has_data);
    report.0
}

type Words<'v> = BTreeSet<&'v str>;

fn words(statuses: &Value) -> Words<'_> {
    elements(statuses).iter().filter_map(Value::as_str).collect()
}

const PENDING: [&str; 5] =
    ["pending create", "pending delete", "pending renew", "pending transfer", "pending update"];

/// Whether an operation is pending that is prohibited, or several are pending.
fn pending_conflicts(words: &Words<'_>) -> bool {
    let is_prohibited = |action: &str| {
        let prohibited =
            ["client", "server"].map(|who| words.contains(&*format!("{who} {action} prohibited")));
        words.contains(&*format!("pending {action}")) && prohibited.contains(&true)
    };
    let pending = PENDING.iter().filter(|word| words.contains(**word)).count();
    pending > 1 || ["delete", "renew", "transfer", "update"].into_iter().any(is_prohibited)
}

/// RP 2.6.1, RFC 5731 section 2.3, RFC 3915 section 3.1.
pub(super) fn statuses(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    let all = &answer.json["status"];
    let words = words(all);
    report.needs(-47100, all.to_string(), !words.is_empty());
    let is_beside_active = |word: &&str| {
        *word == "inactive"
            || word.ends_with("hold")
            || word.ends_with("prohibited")
            || PENDING.contains(word)
    };
    let active = words.contains("active") && words.iter().any(is_beside_active);
    let both = words.contains("redemption period") && words.contains("pending restore");
    report.needs(-46900, all.to_string(), !active && !both && !pending_conflicts(&words));
    let is_deleted = words.contains("pending delete");
    report.needs(-47001, all.to_string(), is_deleted || !words.contains("redemption period"));
    report.needs(-47002, all.to_string(), is_deleted || !words.contains("pending restore"));
    report.0
}

/// RFC 5732 section 2.3: whether the statuses of a nameserver go together.
fn go_together(statuses: &Value) -> bool {
    let words = words(statuses);
    let others = words.iter().any(|word| !["active", "associated"].contains(word));
    let is_active_alone = !words.contains("active") || !others;
    is_active_alone && !pending_conflicts(&words)
}

/// RP 2.9.1, 2.9.2.
pub(super) fn nameservers(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    for nameserver in elements(&answer.json["nameservers"]) {
        let what = nameserver.to_string();
        report.needs(-47200, &what, nameserver.get("ldhName").is_some());
        if let Some(value) = nameserver.get("handle") {
            handle(value, [-47201, -47202, -47205], "nameserver", &mut report);
        }
        report.needs(-47204, &what, go_together(&nameserver["status"]));
    }
    report.0
}

/// RP 4.1; RFC 5732 section 2.3.
pub(super) fn nameserver(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Nameserver {
        return report.0;
    }
    if let Some(value) = answer.json.get("handle") {
        handle(value, [-49102, -49103, -49104], "nameserver", &mut report);
    }
    let statuses = &answer.json["status"];
    report.needs(-49300, statuses.to_string(), go_together(statuses));
    report.0
}
