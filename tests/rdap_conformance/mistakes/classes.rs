//! Mistakes in object classes, errors and DNSSEC, and in links to registrars.

use serde_json::json;

use super::{Mistake, entity, list, mistake, remove, with};
use crate::good::Of;

pub(super) const MISTAKES: &[Mistake] = &[
    // DNSSEC.
    with(-12000, &[-46801], Of::Signed, "one truth", |j| j["secureDNS"] = true.into()),
    mistake(-12001, Of::Signed, "another member", |j| j["secureDNS"]["x"] = 1.into()),
    mistake(-12003, Of::Signed, "a text", |j| j["secureDNS"]["zoneSigned"] = "true".into()),
    mistake(-12005, Of::Signed, "a text", |j| {
        j["secureDNS"]["delegationSigned"] = "true".into();
    }),
    mistake(-12006, Of::Signed, "no time", |j| j["secureDNS"]["maxSigLife"] = 0.into()),
    mistake(-12008, Of::Signed, "one", |j| j["secureDNS"]["dsData"] = json!({})),
    mistake(-12009, Of::Signed, "another member", |j| {
        j["secureDNS"]["dsData"][0]["x"] = 1.into();
    }),
    mistake(-12011, Of::Signed, "no digest", |j| {
        remove(&mut j["secureDNS"]["dsData"][0], "digest");
    }),
    mistake(-12012, Of::Signed, "a text", |j| {
        j["secureDNS"]["dsData"][0]["keyTag"] = "12345".into();
    }),
    mistake(-12013, Of::Signed, "an algorithm that signs nothing", |j| {
        j["secureDNS"]["dsData"][0]["algorithm"] = 2.into();
    }),
    mistake(-12014, Of::Signed, "base64", |j| {
        j["secureDNS"]["dsData"][0]["digest"] = "q80=".into();
    }),
    mistake(-12015, Of::Signed, "not assigned", |j| {
        j["secureDNS"]["dsData"][0]["digestType"] = 0.into();
    }),
    mistake(-12018, Of::Signed, "one", |j| j["secureDNS"]["keyData"] = json!({})),
    mistake(-12019, Of::Signed, "another member", |j| {
        j["secureDNS"]["keyData"][0]["x"] = 1.into();
    }),
    mistake(-12021, Of::Signed, "no key", |j| {
        remove(&mut j["secureDNS"]["keyData"][0], "publicKey");
    }),
    mistake(-12022, Of::Signed, "no flags", |j| {
        j["secureDNS"]["keyData"][0]["flags"] = 0.into();
    }),
    mistake(-12023, Of::Signed, "a protocol", |j| {
        j["secureDNS"]["keyData"][0]["protocol"] = 2.into();
    }),
    mistake(-12024, Of::Signed, "no base64", |j| {
        j["secureDNS"]["keyData"][0]["publicKey"] = "(AQID)".into();
    }),
    mistake(-12025, Of::Signed, "an algorithm that signs nothing", |j| {
        j["secureDNS"]["keyData"][0]["algorithm"] = 2.into();
    }),
    mistake(-46800, Of::Signed, "none", |j| remove(j, "secureDNS")),
    mistake(-46801, Of::Signed, "whether it is signed", |j| {
        remove(&mut j["secureDNS"], "delegationSigned");
    }),
    mistake(-46802, Of::Redacted, "signed with nothing", |j| {
        j["secureDNS"]["delegationSigned"] = true.into();
    }),
    // Errors.
    with(-12100, &[-10504, -61000, -61200, -62000], Of::NotFound, "a text", |j| {
        *j = "not found".into()
    }),
    with(-12101, &[-12107], Of::NotFound, "no code", |j| remove(j, "errorCode")),
    mistake(-12103, Of::NotFound, "a text", |j| j["errorCode"] = "404".into()),
    mistake(-12104, Of::NotFound, "a number", |j| j["title"] = 404.into()),
    mistake(-12105, Of::NotFound, "one line", |j| j["description"] = "not found".into()),
    mistake(-12106, Of::NotFound, "a number", |j| j["description"] = json!([404])),
    with(-12107, &[-10504, -61000, -62000], Of::NotFound, "no conformance", |j| {
        remove(j, "rdapConformance");
    }),
    mistake(-12108, Of::NotFound, "another status", |j| j["errorCode"] = 400.into()),
    // Classes.
    mistake(-13003, Of::Redacted, "no class", |j| remove(j, "objectClassName")),
    mistake(-12201, Of::Redacted, "another member", |j| j["x"] = 1.into()),
    mistake(-12203, Of::Redacted, "another class", |j| j["objectClassName"] = "name".into()),
    with(-12204, &[-46200], Of::Redacted, "a number", |j| j["handle"] = 1.into()),
    mistake(-12301, Of::Redacted, "another member", |j| entity(j, "registrar")["x"] = 1.into()),
    mistake(-12303, Of::Redacted, "another class", |j| {
        entity(j, "registrar")["objectClassName"] = "registrar".into();
    }),
    with(-12304, &[-47402, -47403], Of::Redacted, "a number", |j| {
        entity(j, "registrar")["handle"] = 3878.into();
    }),
    mistake(-12316, Of::Redacted, "notices below the top", |j| {
        entity(j, "registrar")["notices"] = json!([]);
    }),
    mistake(-12401, Of::Redacted, "another member", |j| j["nameservers"][0]["x"] = 1.into()),
    mistake(-12403, Of::Redacted, "another class", |j| {
        j["nameservers"][0]["objectClassName"] = "host".into();
    }),
    with(-12404, &[-49102], Of::Nameserver, "a number", |j| j["handle"] = 1.into()),
    mistake(-12415, Of::Redacted, "notices below the top", |j| {
        j["nameservers"][0]["notices"] = json!([]);
    }),
    mistake(-12501, Of::Help, "another member", |j| j["x"] = 1.into()),
    mistake(-12601, Of::Nameservers, "another member", |j| j["x"] = 1.into()),
    mistake(-12603, Of::Nameservers, "one result", |j| {
        j["nameserverSearchResults"] = json!({});
    }),
    mistake(-12610, Of::Nameservers, "no results", |j| remove(j, "nameserverSearchResults")),
    mistake(-40100, Of::Redacted, "a script", |j| {
        entity(j, "registrar")["vcardArray"][1][1][3] = "<SCRIPT>alert(1)</SCRIPT>".into();
    }),
    // Links to the registrar, and its identifier.
    mistake(-23200, Of::Redacted, "no related link", |j| {
        list(&mut j["links"]).retain(|link| link["rel"] != "related");
    }),
    mistake(-23201, Of::Redacted, "another value", |j| {
        j["links"][0]["value"] = "https://rdap.example/domain/GOOD.example".into();
    }),
    with(-23202, &[-26103], Of::Redacted, "no query", |j| {
        j["links"][0]["href"] = "https://www.17domain.com/rdap/".into();
    }),
    with(-26100, &[-47400], Of::Redacted, "no identifier", |j| {
        remove(entity(j, "registrar"), "publicIds");
    }),
    with(-26101, &[-47403], Of::Redacted, "nobody's identifier", |j| {
        entity(j, "registrar")["publicIds"][0]["identifier"] = "5".into();
    }),
    with(-26102, &[-47403], Of::Redacted, "one whose service has no TLS", |j| {
        entity(j, "registrar")["publicIds"][0]["identifier"] = "70001".into();
    }),
    mistake(-26103, Of::Redacted, "another service", |j| {
        j["links"][0]["href"] = "https://rdap.elsewhere.example/domain/good.example".into();
    }),
];
