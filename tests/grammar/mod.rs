//! An independent check of answers about domains: keys and their order as ICANN's testing tool
//! has them (consistent labelling and display policy), line ends, dates, status lines, tail.
//!
//! It shares no code with the renderer.

/// How often a key may occur in one record.
#[derive(Clone, Copy, PartialEq)]
enum Times {
    Once,
    Maybe,
    Any,
}

const CONTACT: [(&str, Times); 13] = [
    ("Registry @ ID", Times::Maybe),
    ("@ Name", Times::Maybe),
    ("@ Organization", Times::Maybe),
    ("@ Street", Times::Any),
    ("@ City", Times::Maybe),
    ("@ State/Province", Times::Maybe),
    ("@ Postal Code", Times::Maybe),
    ("@ Country", Times::Maybe),
    ("@ Phone", Times::Maybe),
    ("@ Phone Ext", Times::Maybe),
    ("@ Fax", Times::Maybe),
    ("@ Fax Ext", Times::Maybe),
    ("@ Email", Times::Maybe),
];

fn keys() -> Vec<(String, Times)> {
    let own = |list: &[(&str, Times)]| -> Vec<(String, Times)> {
        list.iter().map(|&(key, times)| (key.to_owned(), times)).collect()
    };
    let mut keys = own(&[
        ("Domain Name", Times::Once),
        ("Internationalized Domain Name", Times::Maybe),
        ("Registry Domain ID", Times::Once),
        ("Registrar WHOIS Server", Times::Maybe),
        ("Registrar URL", Times::Once),
        ("Updated Date", Times::Maybe),
        ("Creation Date", Times::Once),
        ("Registry Expiry Date", Times::Once),
        ("Registrar Registration Expiration Date", Times::Maybe),
        ("Registrar", Times::Once),
        ("Registrar IANA ID", Times::Once),
        ("Registrar Abuse Contact Email", Times::Once),
        ("Registrar Abuse Contact Phone", Times::Once),
        ("Reseller", Times::Maybe),
        ("Domain Status", Times::Any),
    ]);
    for role in ["Registrant", "Admin", "Tech", "Billing"] {
        for (key, times) in CONTACT {
            keys.push((key.replace('@', role), times));
        }
    }
    // An address may follow each name server: checked where the key occurs.
    keys.extend(own(&[("Name Server", Times::Any), ("DNSSEC", Times::Once)]));
    keys
}

/// Checks an answer that shows domains; returns the fault.
pub(crate) fn check(answer: &str) -> Result<(), String> {
    if answer.replace("\r\n", "").contains(['\r', '\n', '\t']) || !answer.ends_with("\r\n") {
        return Err("a line does not end in CRLF, or holds a control character".to_owned());
    }
    let lines: Vec<&str> = answer.trim_end_matches("\r\n").split("\r\n").collect();
    if let Some(line) = lines.iter().find(|line| line.ends_with(' ')) {
        return Err(format!("{line:?} ends in a blank"));
    }
    let last_update = lines.iter().position(|line| line.starts_with(">>> "));
    let last_update = last_update.ok_or("there is no last-update line")?;
    // Notes of the server begin with `% `.
    let records: Vec<&str> =
        lines[..last_update].iter().copied().filter(|line| !line.starts_with("% ")).collect();
    for record in records.split(|line| line.is_empty()) {
        check_record(record)?;
    }
    check_tail(&lines[last_update..])
}

fn check_record(record: &[&str]) -> Result<(), String> {
    let keys = keys();
    let mut lines = record.iter().peekable();
    for (key, times) in &keys {
        let mut count = 0;
        while let Some(line) = lines.peek() {
            let (found, value) = field(line)?;
            let is_address = found == "IP Address" && key == "Name Server" && count > 0;
            if found != key && !is_address {
                break;
            }
            if found == key {
                check_value(key, value)?;
            }
            count += 1;
            lines.next();
            if *times != Times::Any {
                break;
            }
        }
        let required = *times == Times::Once || key == "Domain Status";
        if required && count == 0 {
            let next = lines.peek().copied().unwrap_or(&"the end");
            return Err(format!("{key:?} is missing before {next:?}"));
        }
    }
    let rest: Vec<&&str> = lines.collect();
    let Some((last, additional)) = rest.split_last() else {
        return Err("the complaint form is missing".to_owned());
    };
    if **last != "URL of the ICANN Whois Inaccuracy Complaint Form: https://www.icann.org/wicf/" {
        return Err(format!("{last:?} is not the complaint form"));
    }
    for line in additional {
        let (key, _value) = field(line)?;
        let taken = keys.iter().any(|(standard, _)| standard.eq_ignore_ascii_case(key));
        if taken {
            return Err(format!("{line:?} has a standard key out of order"));
        }
    }
    Ok(())
}

fn field(line: &str) -> Result<(&str, &str), String> {
    let (key, value) = line.split_once(':').ok_or_else(|| format!("{line:?} has no key"))?;
    if !value.is_empty() && !value.starts_with(' ') {
        return Err(format!("{line:?} has no blank after its colon"));
    }
    Ok((key, value.trim()))
}

fn check_value(key: &str, value: &str) -> Result<(), String> {
    let fine = match key {
        "Updated Date" | "Creation Date" | "Registry Expiry Date" => {
            value.is_empty() || is_time(value)
        }
        "Domain Status" => {
            let (status, address) = value.split_once(' ').unwrap_or_default();
            address == format!("https://icann.org/epp#{status}")
        }
        "DNSSEC" => matches!(value, "signedDelegation" | "unsigned"),
        "Domain Name" => !value.is_empty() && value.is_ascii(),
        "Registrar IANA ID" => value.is_empty() || value.parse::<u32>().is_ok(),
        _ => true,
    };
    if fine { Ok(()) } else { Err(format!("{key}: {value:?} has not the form of its field")) }
}

/// `YYYY-MM-DDThh:mm:ss[.fff]Z`
fn is_time(text: &str) -> bool {
    let shape = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
    };
    matches!(shape(text).as_str(), "0000-00-00T00:00:00Z" | "0000-00-00T00:00:00.000Z")
}

fn check_tail(tail: &[&str]) -> Result<(), String> {
    let time = tail[0]
        .strip_prefix(">>> Last update of WHOIS database: ")
        .and_then(|rest| rest.strip_suffix(" <<<"));
    if !time.is_some_and(is_time) {
        return Err(format!("{:?} is no last-update line", tail[0]));
    }
    let expected =
        ["", "For more information on Whois status codes, please visit https://icann.org/epp", ""];
    if tail.get(1..4) != Some(&expected) {
        return Err("the status-code line is not where it should be".to_owned());
    }
    match tail.get(4) {
        Some(line) if !line.is_empty() => Ok(()),
        _ => Err("there is no disclaimer".to_owned()),
    }
}
