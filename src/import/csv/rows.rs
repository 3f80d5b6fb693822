//! Rows of each table as objects, or parts of objects.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use snapshot_format::object::{
    Contact, Disclose, Domain, HostLink, IdnTable, Nameserver, Nndn, Postal, PostalKind, Registrar,
    SecDns, Transfer,
};

use super::column::{Column, Table};
use super::row::Row;
use crate::import::collect::{Collector, Rank};
use crate::import::join::DomainPart;
use crate::import::model;
use crate::vet::draft::{self, SecDnsTexts};
use crate::vet::findings::{ObjectKind, Place};
use crate::vet::rule::Rule;
use crate::vet::value;

impl Row {
    /// Hands the row's object, or part, to the collector.
    pub(super) fn collect(&mut self, out: &mut Collector<'_, '_>, place: Place) -> io::Result<()> {
        match self.table {
            Table::Registrar => self.registrar(out, place),
            Table::IdnLanguage => self.idn_table(out, place),
            Table::Nndn => self.nndn(out, place),
            table if table.is_host() => self.host(out, place),
            table if table.is_contact() => self.contact(out, place),
            _ => self.domain(out, place),
        }
    }

    fn rank(&self) -> Rank {
        match self.table {
            Table::Domain | Table::Host | Table::Contact => Rank::Csv,
            _ => Rank::Part,
        }
    }

    fn domain(&mut self, out: &mut Collector<'_, '_>, place: Place) -> io::Result<()> {
        let mut domain = Domain::default();
        self.domain_name(&mut domain.name);
        match self.table {
            Table::Domain => self.domain_fields(&mut domain),
            Table::DomainContacts => {
                let ([role, id], defects) = self.texts([Column::ContactType, Column::ContactId]);
                draft::contact(defects, &mut domain, role, id);
            }
            Table::DomainStatuses => {
                let ([status, grace], defects) = self.texts([Column::Status, Column::RgpStatus]);
                if !status.is_empty() || grace.is_empty() {
                    draft::domain_status(defects, &mut domain.statuses, status, false);
                }
                if !grace.is_empty() {
                    draft::domain_status(defects, &mut domain.statuses, grace, true);
                }
            }
            Table::DomainNameServers => self.nameserver(&mut domain),
            Table::DomainNameServersAddresses => {
                if let Some(host) = self.host_attribute(&mut domain) {
                    out.host_attribute(Rank::HostAttributeRow, place, &host)?;
                }
            }
            Table::Dnssec => domain.sec_dns = Some(self.sec_dns()),
            _ => domain.transfer = Some(self.transfer()),
        }
        let kind = ObjectKind::Domain;
        if self.table == Table::Domain {
            out.counted(kind);
        }
        if !self.finish(out, place, kind, &domain.name) {
            return Ok(());
        }
        match self.rank() {
            Rank::Part => {
                let part = DomainPart::of(&mut domain);
                out.domain_part(place, &domain.name, &part)
            }
            rank => out.domain(rank, place, &mut domain),
        }
    }

    /// Reports defects; `false`: the key cannot be used, and that is reported as well.
    fn finish(
        &mut self,
        out: &mut Collector<'_, '_>,
        place: Place,
        kind: ObjectKind,
        key: &str,
    ) -> bool {
        if !key.is_empty() {
            out.defects(&mut self.defects, place, kind, key);
            return true;
        }
        let shown =
            self.table.keys().iter().map(|&column| self.cell(column)).find(|cell| !cell.is_empty());
        let shown = shown.unwrap_or_default().to_owned();
        self.defects.add(Rule::KeyUnusable, "", shown.as_str());
        out.defects(&mut self.defects, place, kind, &shown);
        false
    }

    fn domain_fields(&mut self, domain: &mut Domain) {
        self.identifier(Column::Roid, "fRoid", &mut domain.roid);
        self.text(Column::UName, "fUName", &mut domain.u_name);
        self.identifier(Column::IdnTableId, "fIdnTableId", &mut domain.idn_table);
        self.with(
            Column::OriginalName,
            draft::other_name,
            "fOriginalName",
            &mut domain.original_name,
        );
        let ([registrant], defects) = self.texts([Column::Registrant]);
        if !registrant.is_empty() {
            draft::contact(defects, domain, "registrant", registrant);
        }
        self.sponsor(&mut domain.registrar);
        self.actor(Column::CrRr, Column::CrId, "fCrRr", &mut domain.creator);
        self.actor(Column::UpRr, Column::UpId, "fUpRr", &mut domain.updater);
        self.time(Column::CrDate, "fCrDate", &mut domain.created);
        self.time(Column::UpDate, "fUpDate", &mut domain.updated);
        self.time(Column::ExDate, "fExDate", &mut domain.expires);
        self.time(Column::TrDate, "fTrDate", &mut domain.transferred);
        let extras: Vec<(String, String)> = self
            .cells()
            .filter(|(usage, cell)| usage.column == Column::Custom && !cell.is_empty())
            .map(|(usage, cell)| (usage.word.clone(), cell.to_owned()))
            .collect();
        for (key, value) in extras {
            draft::extra(&mut self.defects, domain, &key, &value);
        }
    }

    fn nameserver(&mut self, domain: &mut Domain) {
        let ([name], defects) = self.texts([Column::HostName]);
        if !name.is_empty() {
            draft::nameserver(defects, domain, name);
            return;
        }
        let mut roid = String::new();
        self.identifier(Column::Roid, "fRoid", &mut roid);
        if roid.is_empty() {
            self.defects.add(Rule::ReferenceBad, "fRoid", "");
        } else {
            draft::nameserver_link(&mut self.defects, domain, HostLink::Roid(roid));
        }
    }

    fn host_attribute(&mut self, domain: &mut Domain) -> Option<Nameserver> {
        let ([text], defects) = self.texts([Column::HostName]);
        let name = draft::nameserver(defects, domain, text)?.to_owned();
        let mut host = Nameserver { name, ..Nameserver::default() };
        self.address(&mut host);
        Some(host)
    }

    fn address(&mut self, host: &mut Nameserver) {
        let (address, version) =
            (self.cell(Column::Addr).to_owned(), self.cell(Column::AddrVersion).to_owned());
        if address.is_empty() {
            return;
        }
        let version = (!version.is_empty()).then_some(version.as_str());
        draft::address(&mut self.defects, &mut host.v4, &mut host.v6, &address, version);
    }

    fn sec_dns(&mut self) -> SecDns {
        let mut sec_dns = SecDns::default();
        let life = self.cell(Column::MaxSigLife).to_owned();
        draft::max_sig_life(&mut self.defects, &mut sec_dns, &life);
        let own = |column| self.cell(column).to_owned();
        let ds = SecDnsTexts {
            first: own(Column::KeyTag),
            algorithm: own(Column::DsAlg),
            second: own(Column::DigestType),
            bytes: own(Column::Digest),
        };
        let key = SecDnsTexts {
            first: own(Column::Flags),
            algorithm: own(Column::KeyAlg),
            second: own(Column::Protocol),
            bytes: own(Column::PubKey),
        };
        let has_key = !key.bytes.is_empty();
        if self.has(Column::Digest) && (!ds.bytes.is_empty() || !has_key) {
            draft::ds(&mut self.defects, &mut sec_dns, &ds);
        }
        if self.has(Column::PubKey) && (has_key || ds.bytes.is_empty()) {
            draft::dns_key(&mut self.defects, &mut sec_dns, &key);
        }
        sec_dns
    }

    fn transfer(&mut self) -> Transfer {
        let mut transfer = Transfer::default();
        let status = self.cell(Column::TrStatus).to_owned();
        draft::transfer_status(&mut self.defects, &mut transfer, &status);
        self.actor(Column::ReRr, Column::ReId, "fReRr", &mut transfer.requester);
        self.time(Column::ReDate, "fReDate", &mut transfer.requested);
        self.actor(Column::AcRr, Column::AcId, "fAcRr", &mut transfer.actor);
        self.time(Column::AcDate, "fAcDate", &mut transfer.acted);
        self.time(Column::ExDate, "fExDate", &mut transfer.expires);
        transfer
    }

    fn host(&mut self, out: &mut Collector<'_, '_>, place: Place) -> io::Result<()> {
        let mut host = Nameserver::default();
        let kind = ObjectKind::Nameserver;
        self.with(Column::HostName, draft::own_name, "fName", &mut host.name);
        self.identifier(Column::Roid, "fRoid", &mut host.roid);
        match self.table {
            Table::Host => {
                out.counted(kind);
                self.sponsor(&mut host.registrar);
                self.actor(Column::CrRr, Column::CrId, "fCrRr", &mut host.creator);
                self.actor(Column::UpRr, Column::UpId, "fUpRr", &mut host.updater);
                self.time(Column::CrDate, "fCrDate", &mut host.created);
                self.time(Column::UpDate, "fUpDate", &mut host.updated);
                self.time(Column::TrDate, "fTrDate", &mut host.transferred);
            }
            Table::HostStatuses => {
                let ([status], defects) = self.texts([Column::Status]);
                draft::host_status(defects, &mut host.statuses, status);
            }
            _ => self.address(&mut host),
        }
        let named = !host.name.is_empty();
        let key = if named || self.table == Table::Host { &host.name } else { &host.roid };
        if !self.finish(out, place, kind, key) {
            return Ok(());
        }
        let rank = self.rank();
        if host.roid.is_empty() || (named && rank == Rank::Part) {
            out.nameserver(rank, place, &host)
        } else {
            out.host_by_roid(rank, place, &host)
        }
    }

    fn contact(&mut self, out: &mut Collector<'_, '_>, place: Place) -> io::Result<()> {
        let mut contact = Contact::default();
        self.identifier(Column::ContactId, "fId", &mut contact.id);
        match self.table {
            Table::Contact => {
                out.counted(ObjectKind::Contact);
                self.contact_fields(&mut contact);
            }
            Table::ContactStatuses => {
                let ([status], defects) = self.texts([Column::Status]);
                draft::contact_status(defects, &mut contact.statuses, status);
            }
            Table::ContactPostal => {
                let kind = self.cell(Column::PostalType).to_owned();
                let kind = draft::postal_kind(&mut self.defects, &kind);
                let mut postal = Postal { kind, ..Postal::default() };
                self.text(Column::PostalName, "fName", &mut postal.name);
                self.text(Column::Org, "fOrg", &mut postal.org);
                self.postal(&mut postal, None);
                contact.postal.push(postal);
            }
            Table::ContactTransfer => contact.transfer = Some(self.transfer()),
            _ => contact.disclose = self.disclose(),
        }
        if self.finish(out, place, ObjectKind::Contact, &contact.id) {
            out.contact(self.rank(), place, &contact)?;
        }
        Ok(())
    }

    fn contact_fields(&mut self, contact: &mut Contact) {
        self.identifier(Column::Roid, "fRoid", &mut contact.roid);
        self.text(Column::Voice, "fVoice", &mut contact.voice.number);
        self.text(Column::VoiceExt, "fVoiceExt", &mut contact.voice.ext);
        self.text(Column::Fax, "fFax", &mut contact.fax.number);
        self.text(Column::FaxExt, "fFaxExt", &mut contact.fax.ext);
        self.text(Column::Email, "fEmail", &mut contact.email);
        self.sponsor(&mut contact.registrar);
        self.actor(Column::CrRr, Column::CrId, "fCrRr", &mut contact.creator);
        self.actor(Column::UpRr, Column::UpId, "fUpRr", &mut contact.updater);
        self.time(Column::CrDate, "fCrDate", &mut contact.created);
        self.time(Column::UpDate, "fUpDate", &mut contact.updated);
        self.time(Column::TrDate, "fTrDate", &mut contact.transferred);
    }

    /// Street to country code: of all columns, or of those of one form (`isLoc`).
    fn postal(&mut self, postal: &mut Postal, localised: Option<bool>) {
        // Street lines come in the order of their numbers, whatever the columns' order.
        for street in [Some(0), Some(1), Some(2), None] {
            let numbered = |column| matches!(column, Column::Street(at) if Some(at) == street);
            let other = |column| street.is_none() && !matches!(column, Column::Street(_));
            for (usage, text) in self.columns.iter().zip(&self.cells) {
                let column = usage.column;
                let wanted = localised.is_none_or(|wanted| usage.localised == wanted);
                if !wanted || !(numbered(column) || other(column)) {
                    continue;
                }
                let (field, slot) = match column {
                    Column::Street(index) => match postal.street.get_mut(usize::from(index)) {
                        Some(line) => ("fStreet", line),
                        None => continue,
                    },
                    Column::City => ("fCity", &mut postal.city),
                    Column::Sp => ("fSp", &mut postal.sp),
                    Column::Pc => ("fPc", &mut postal.pc),
                    Column::Cc => ("fCc", &mut postal.cc),
                    _ => continue,
                };
                draft::text(&mut self.defects, field, slot, text);
            }
        }
    }

    fn disclose(&mut self) -> Option<Disclose> {
        let flag = self.cell(Column::DiscloseFlag).to_owned();
        let allow = value::boolean(&flag);
        if allow.is_none() && !flag.is_empty() {
            self.defects.add(Rule::DiscloseBad, "fDiscloseFlag", flag.as_str());
        }
        let mut fields = 0;
        let mut bad = Vec::new();
        for (usage, cell) in self.cells() {
            let Column::Disclose(bit) = usage.column else { continue };
            match value::boolean(cell) {
                Some(true) => fields |= bit,
                Some(false) => {}
                None if cell.is_empty() => {}
                None => {
                    fields |= if allow == Some(true) { 0 } else { bit };
                    bad.push((usage.word.clone(), cell.to_owned()));
                }
            }
        }
        for (field, got) in bad {
            self.defects.add(Rule::DiscloseBad, field, got);
        }
        // A wish that does not read is not taken for consent; an empty one is not a wish.
        let allow = allow.or_else(|| (!flag.is_empty()).then_some(false));
        allow.map(|allow| Disclose { allow, fields })
    }

    fn registrar(&mut self, out: &mut Collector<'_, '_>, place: Place) -> io::Result<()> {
        let mut registrar = Registrar::default();
        self.identifier(Column::RegistrarId, "fId", &mut registrar.id);
        let gurid = self.cell(Column::Gurid).to_owned();
        registrar.iana_id = model::gurid(&mut self.defects, &gurid);
        if registrar.id.is_empty() && registrar.iana_id != 0 {
            registrar.id = registrar.iana_id.to_string();
        }
        self.text(Column::RegistrarName, "fName", &mut registrar.name);
        let status = self.cell(Column::Status).to_owned();
        registrar.status = model::registrar_status(&mut self.defects, &status);
        for (localised, kind) in [(false, PostalKind::Int), (true, PostalKind::Loc)] {
            let mut postal = Postal { kind, ..Postal::default() };
            self.postal(&mut postal, Some(localised));
            if postal != (Postal { kind, ..Postal::default() }) {
                registrar.postal.push(postal);
            }
        }
        self.text(Column::Voice, "fVoice", &mut registrar.voice.number);
        self.text(Column::VoiceExt, "fVoiceExt", &mut registrar.voice.ext);
        self.text(Column::Fax, "fFax", &mut registrar.fax.number);
        self.text(Column::FaxExt, "fFaxExt", &mut registrar.fax.ext);
        self.text(Column::Email, "fEmail", &mut registrar.email);
        self.text(Column::Url, "fUrl", &mut registrar.url);
        self.text(Column::WhoisUrl, "fWhoisUrl", &mut registrar.whois_url);
        self.text(Column::WhoisName, "whoisName", &mut registrar.whois_name);
        self.time(Column::CrDate, "fCrDate", &mut registrar.created);
        self.time(Column::UpDate, "fUpDate", &mut registrar.updated);
        out.counted(ObjectKind::Registrar);
        if self.finish(out, place, ObjectKind::Registrar, &registrar.id) {
            out.registrar(Rank::Csv, place, &registrar)?;
        }
        Ok(())
    }

    fn idn_table(&mut self, out: &mut Collector<'_, '_>, place: Place) -> io::Result<()> {
        let mut table = IdnTable::default();
        self.identifier(Column::IdnTableId, "fIdnTableId", &mut table.id);
        self.text(Column::Url, "fUrl", &mut table.url);
        self.text(Column::UrlPolicy, "urlPolicy", &mut table.policy_url);
        out.counted(ObjectKind::IdnTable);
        if self.finish(out, place, ObjectKind::IdnTable, &table.id) {
            out.idn_table(Rank::Csv, place, &table)?;
        }
        Ok(())
    }

    fn nndn(&mut self, out: &mut Collector<'_, '_>, place: Place) -> io::Result<()> {
        let mut nndn = Nndn { mirroring_ns: true, ..Nndn::default() };
        self.with(Column::AName, draft::own_name, "fAName", &mut nndn.name);
        self.text(Column::UName, "fUName", &mut nndn.u_name);
        self.identifier(Column::IdnTableId, "fIdnTableId", &mut nndn.idn_table);
        self.with(
            Column::OriginalName,
            draft::other_name,
            "fOriginalName",
            &mut nndn.original_name,
        );
        let state = self.cell(Column::NameState).to_owned();
        nndn.state = draft::nndn_state(&mut self.defects, &state);
        let mirroring = self.cell(Column::MirroringNs).to_owned();
        match value::boolean(&mirroring) {
            Some(mirroring) => nndn.mirroring_ns = mirroring,
            None if mirroring.is_empty() => {}
            None => self.defects.add(Rule::ValueBad, "fMirroringNS", mirroring),
        }
        self.time(Column::CrDate, "fCrDate", &mut nndn.created);
        out.counted(ObjectKind::Nndn);
        if self.finish(out, place, ObjectKind::Nndn, &nndn.name) {
            out.nndn(Rank::Csv, place, &nndn)?;
        }
        Ok(())
    }
}
