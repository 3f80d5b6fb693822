//! Where a registration stands at the watermark: statuses and dates that agree with each other.
//!
//! # Invariants
//!
//! - `ok` stands alone, `inactive` means no delegation (RFC 5731 section 2.3); no `pending*` comes
//!   with the prohibition of what is pending, nor with another one.
//! - RGP's `redemptionPeriod`, `pendingRestore` and `pendingDelete` come with EPP's
//!   `pendingDelete` (RFC 3915 section 3.1).
//! - created <= transferred <= updated <= watermark < expires, as far as they are given. Grace
//!   periods: add 5 days, auto-renew 45, renew 5, transfer 5, redemption 30, restore report 7,
//!   pending delete 5 (usual policy, not the RFC).
//!
//! # Does not
//!
//! Know names, contacts or registrars.

use snapshot_format::calendar::{DAY_S, civil_from_days, days_from_civil};
use snapshot_format::status::DomainStatuses as S;

use super::mix::Draw;

/// How a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing special.
    Plain,
    /// Within 5 days of creation.
    AddPeriod,
    /// Within 45 days of an automatic renewal.
    AutoRenewPeriod,
    /// Within 5 days of a renewal.
    RenewPeriod,
    /// Within 5 days of a transfer.
    TransferPeriod,
    /// Deleted, may be restored for 30 days.
    Redemption,
    /// Restore asked for, report awaited.
    PendingRestore,
    /// Deleted more than 30 days ago, purged within 5.
    PendingDelete,
    /// Creation awaits a decision.
    PendingCreate,
    /// Renewal awaits a decision.
    PendingRenew,
    /// Transfer awaits an answer.
    PendingTransfer,
    /// Update awaits a decision.
    PendingUpdate,
}

/// How often a state is met, in a million; [`State::Plain`] has the rest.
const SHARES: [(State, u64); 11] = [
    (State::AddPeriod, 4000),
    (State::AutoRenewPeriod, 15_000),
    (State::RenewPeriod, 3000),
    (State::TransferPeriod, 2000),
    (State::Redemption, 10_000),
    (State::PendingRestore, 200),
    (State::PendingDelete, 2000),
    (State::PendingCreate, 200),
    (State::PendingRenew, 100),
    (State::PendingTransfer, 600),
    (State::PendingUpdate, 300),
];

/// What became of the last transfer request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// Word of RFC 5730 `trStatusType`.
    pub(crate) status: &'static str,
    /// When it was made, seconds since 1970.
    pub(crate) requested_s: i64,
    /// When it was answered, or is due.
    pub(crate) acted_s: i64,
}

/// Statuses and dates, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lifecycle {
    /// Bits of [`S`].
    pub(crate) statuses: u32,
    /// Creation.
    pub(crate) created_s: i64,
    /// Last update.
    pub(crate) updated_s: Option<i64>,
    /// Expiry.
    pub(crate) expires_s: i64,
    /// Last transfer.
    pub(crate) transferred_s: Option<i64>,
    /// Last transfer request.
    pub(crate) request: Option<Request>,
}

impl State {
    /// A state, by its share.
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        let mut left = draw.below(1_000_000);
        for (state, share) in SHARES {
            if left < share {
                return state;
            }
            left -= share;
        }
        Self::Plain
    }

    /// The status bits that make the state.
    const fn bits(self) -> u32 {
        match self {
            Self::Plain => 0,
            Self::AddPeriod => S::ADD_PERIOD,
            Self::AutoRenewPeriod => S::AUTO_RENEW_PERIOD,
            Self::RenewPeriod => S::RENEW_PERIOD,
            Self::TransferPeriod => S::TRANSFER_PERIOD,
            Self::Redemption => S::PENDING_DELETE | S::REDEMPTION_PERIOD,
            Self::PendingRestore => S::PENDING_DELETE | S::PENDING_RESTORE,
            Self::PendingDelete => S::PENDING_DELETE | S::RGP_PENDING_DELETE,
            Self::PendingCreate => S::PENDING_CREATE,
            Self::PendingRenew => S::PENDING_RENEW,
            Self::PendingTransfer => S::PENDING_TRANSFER,
            Self::PendingUpdate => S::PENDING_UPDATE,
        }
    }

    /// The prohibitions that contradict the state.
    const fn excluded(self) -> u32 {
        match self {
            Self::Redemption | Self::PendingRestore | Self::PendingDelete => {
                S::CLIENT_DELETE_PROHIBITED | S::SERVER_DELETE_PROHIBITED
            }
            Self::PendingRenew => S::CLIENT_RENEW_PROHIBITED | S::SERVER_RENEW_PROHIBITED,
            Self::PendingTransfer => S::CLIENT_TRANSFER_PROHIBITED | S::SERVER_TRANSFER_PROHIBITED,
            Self::PendingUpdate => S::CLIENT_UPDATE_PROHIBITED | S::SERVER_UPDATE_PROHIBITED,
            Self::PendingCreate => !0,
            _ => 0,
        }
    }

    /// The statuses of this state with `locks`, of a domain with or without a delegation.
    pub(crate) const fn statuses(self, locks: u32, delegated: bool) -> u32 {
        const RGP: u32 = S::RGP | S::RGP_PENDING_DELETE;
        let mut bits = self.bits() | locks & !self.excluded();
        if !delegated {
            bits |= S::INACTIVE;
        }
        if bits & !RGP == 0 { bits | S::OK } else { bits }
    }

    /// Dates that agree with the state at `now_s`, with statuses for it.
    pub(crate) fn lifecycle(self, now_s: i64, delegated: bool, draw: &mut Draw) -> Lifecycle {
        let statuses = self.statuses(locks(draw), delegated);
        match self {
            Self::AddPeriod => young(statuses, now_s - before(5, draw), draw),
            Self::PendingCreate => young(statuses, now_s - before(2, draw), draw),
            Self::AutoRenewPeriod => {
                let renewed_s = now_s - before(45, draw);
                let created_s = add_years(renewed_s, -below(15, draw) - 1);
                let expires_s = add_years(renewed_s, 1);
                let updated_s = Some(renewed_s);
                Lifecycle { statuses, created_s, updated_s, expires_s, ..EMPTY }
            }
            Self::Plain | Self::PendingRenew | Self::PendingUpdate => {
                settled(statuses, now_s, draw)
            }
            Self::RenewPeriod => touched(statuses, now_s, now_s - before(5, draw), 1, draw),
            Self::Redemption => touched(statuses, now_s, now_s - before(30, draw), 0, draw),
            Self::PendingRestore => touched(statuses, now_s, now_s - before(7, draw), 0, draw),
            Self::PendingDelete => {
                touched(statuses, now_s, now_s - 30 * DAY_S - before(5, draw), 0, draw)
            }
            Self::TransferPeriod => {
                let acted_s = now_s - before(5, draw);
                let requested_s = acted_s - before(5, draw);
                let request = Some(Request { status: "clientApproved", requested_s, acted_s });
                let transferred_s = Some(acted_s);
                Lifecycle { transferred_s, request, ..touched(statuses, now_s, acted_s, 1, draw) }
            }
            Self::PendingTransfer => {
                let requested_s = now_s - before(5, draw);
                let acted_s = requested_s + 5 * DAY_S;
                let request = Some(Request { status: "pending", requested_s, acted_s });
                Lifecycle { request, ..settled(statuses, now_s, draw) }
            }
        }
    }
}

const EMPTY: Lifecycle = Lifecycle {
    statuses: 0,
    created_s: 0,
    updated_s: None,
    expires_s: 0,
    transferred_s: None,
    request: None,
};

/// Longest time a registration has been there, days: 20 years.
const AGE_DAYS_MAX: u64 = 7300;
/// Shortest, of those not young by their state: past every grace and redemption period.
const AGE_DAYS_MIN: i64 = 60;

/// A time before now: less than `days` days, at least an hour.
fn before(days: i64, draw: &mut Draw) -> i64 {
    3600 + below(days.unsigned_abs() * DAY_S.unsigned_abs() - 3600, draw)
}

/// A number below `bound`, which is far below 2^32.
fn below(bound: u64, draw: &mut Draw) -> i64 {
    draw.below(bound).cast_signed()
}

/// When a settled registration was created; young ones are more frequent.
fn creation(now_s: i64, draw: &mut Draw) -> i64 {
    let days = AGE_DAYS_MIN + draw.skewed(AGE_DAYS_MAX - 60).cast_signed();
    now_s - days * DAY_S - below(DAY_S.unsigned_abs(), draw)
}

/// Just created.
fn young(statuses: u32, created_s: i64, draw: &mut Draw) -> Lifecycle {
    let years = *draw.pick(&[1, 1, 1, 1, 1, 1, 2, 2, 3, 5, 10]);
    Lifecycle { statuses, created_s, expires_s: add_years(created_s, years), ..EMPTY }
}

/// Renewed year by year, or for some years at once, perhaps transferred once.
fn settled(statuses: u32, now_s: i64, draw: &mut Draw) -> Lifecycle {
    let created_s = creation(now_s, draw);
    let ahead = if draw.chance(200_000) { below(9, draw) } else { 0 };
    let expires_s = add_years(created_s, years_past(created_s, now_s) + ahead);
    let age_s = now_s - created_s;
    let mut lifecycle = Lifecycle { statuses, created_s, expires_s, ..EMPTY };
    let mut seen_s = created_s;
    if draw.chance(50_000) {
        // A transfer is refused within 60 days of creation.
        seen_s += 60 * DAY_S * i64::from(age_s > 61 * DAY_S);
        seen_s += below((now_s - seen_s).unsigned_abs().min(u64::from(u32::MAX)), draw);
        lifecycle.transferred_s = Some(seen_s);
        if draw.chance(150_000) {
            let status = *draw.pick(&["clientApproved", "clientApproved", "serverApproved"]);
            let requested_s = (seen_s - before(5, draw)).max(created_s);
            lifecycle.request = Some(Request { status, requested_s, acted_s: seen_s });
        }
    } else if draw.chance(3000) {
        let status = *draw.pick(&["clientRejected", "clientCancelled", "serverCancelled"]);
        let acted_s = now_s - before(50, draw);
        let requested_s = acted_s - before(5, draw);
        lifecycle.request = Some(Request { status, requested_s, acted_s });
    }
    if draw.chance(800_000) || lifecycle.transferred_s.is_some() {
        let span = (now_s - seen_s).unsigned_abs().min(u64::from(u32::MAX));
        lifecycle.updated_s = Some(seen_s + below(span, draw));
    }
    lifecycle
}

/// Changed at `touched_s`, which explains the state; `renewed` years more than due.
fn touched(statuses: u32, now_s: i64, touched_s: i64, renewed: i64, draw: &mut Draw) -> Lifecycle {
    let created_s = creation(now_s, draw);
    let expires_s = add_years(created_s, years_past(created_s, now_s) + renewed);
    Lifecycle { statuses, created_s, updated_s: Some(touched_s), expires_s, ..EMPTY }
}

/// Prohibitions and holds.
fn locks(draw: &mut Draw) -> u32 {
    const CLIENT_ALL: u32 =
        S::CLIENT_TRANSFER_PROHIBITED | S::CLIENT_DELETE_PROHIBITED | S::CLIENT_UPDATE_PROHIBITED;
    const SERVER_ALL: u32 =
        S::SERVER_TRANSFER_PROHIBITED | S::SERVER_DELETE_PROHIBITED | S::SERVER_UPDATE_PROHIBITED;
    let mut bits = match draw.below(100) {
        0..=21 => 0,
        22..=79 => S::CLIENT_TRANSFER_PROHIBITED,
        80..=95 => CLIENT_ALL,
        96..=98 => S::CLIENT_DELETE_PROHIBITED | S::CLIENT_TRANSFER_PROHIBITED,
        _ => CLIENT_ALL | S::CLIENT_RENEW_PROHIBITED,
    };
    match draw.below(1000) {
        0..=7 => bits |= S::CLIENT_HOLD,
        8..=9 => bits |= S::SERVER_HOLD,
        10..=12 => bits |= SERVER_ALL,
        13 => bits |= SERVER_ALL | S::SERVER_RENEW_PROHIBITED,
        _ => {}
    }
    bits
}

/// The same time of day `years` later; 29 February becomes the 28th in a year without one.
pub(super) const fn add_years(time_s: i64, years: i64) -> i64 {
    let (year, month, day) = civil_from_days(time_s.div_euclid(DAY_S));
    let later = year + years;
    let leap = later % 4 == 0 && (later % 100 != 0 || later % 400 == 0);
    let day = if month == 2 && day == 29 && !leap { 28 } else { day };
    days_from_civil(later, month, day) * DAY_S + time_s.rem_euclid(DAY_S)
}

/// The first whole-year anniversary of `from_s` that is after `now_s`, in years (at least 1).
const fn years_past(from_s: i64, now_s: i64) -> i64 {
    let mut years =
        civil_from_days(now_s.div_euclid(DAY_S)).0 - civil_from_days(from_s.div_euclid(DAY_S)).0;
    if years < 1 {
        years = 1;
    }
    if add_years(from_s, years) <= now_s {
        years += 1;
    }
    years
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::mix::Stream;
    use crate::sample::settings::WATERMARK_DEFAULT_S;

    #[test]
    fn dates_agree_with_the_watermark_in_every_state() {
        let now = WATERMARK_DEFAULT_S;
        let states = SHARES.iter().map(|&(state, _)| state).chain([State::Plain]);
        for state in states {
            for i in 0..3000 {
                let mut draw = Draw::new(1, Stream::Lifecycle, i);
                let life = state.lifecycle(now, true, &mut draw);
                assert!(life.created_s < now && life.expires_s > now, "{state:?} {life:?}");
                assert!(life.expires_s <= add_years(now, 10) + DAY_S, "{state:?} {life:?}");
                assert!(life.updated_s.is_none_or(|t| t >= life.created_s && t <= now));
                let last = life.updated_s.unwrap_or(now);
                assert!(life.transferred_s.is_none_or(|t| t >= life.created_s && t <= last));
                if let Some(request) = life.request {
                    assert!(request.requested_s <= request.acted_s, "{state:?}");
                    assert!(request.requested_s >= life.created_s && request.requested_s <= now);
                    let pending = request.status == "pending";
                    assert_eq!(pending, state == State::PendingTransfer);
                    assert_eq!(pending, request.acted_s > now);
                }
            }
        }
    }

    #[test]
    fn ok_stands_alone_and_inactive_means_no_delegation() {
        assert_eq!(State::Plain.statuses(0, true), S::OK);
        assert_eq!(State::Plain.statuses(0, false), S::INACTIVE);
        assert_eq!(State::AddPeriod.statuses(0, true), S::OK | S::ADD_PERIOD);
        assert_eq!(State::PendingCreate.statuses(!0, true), S::PENDING_CREATE);
        assert_eq!(
            State::Redemption.statuses(S::CLIENT_DELETE_PROHIBITED, true),
            S::PENDING_DELETE | S::REDEMPTION_PERIOD
        );
    }

    #[test]
    fn a_year_from_a_leap_day_is_the_28th() {
        let leap = days_from_civil(2024, 2, 29) * DAY_S + 5;
        assert_eq!(add_years(leap, 1), days_from_civil(2025, 2, 28) * DAY_S + 5);
        assert_eq!(add_years(leap, 4), days_from_civil(2028, 2, 29) * DAY_S + 5);
    }

    #[test]
    fn the_next_anniversary_is_after_now_and_less_than_a_year_away() {
        let now = days_from_civil(2026, 1, 1) * DAY_S;
        for days in 1..4000 {
            let from = now - days * DAY_S;
            let next = add_years(from, years_past(from, now));
            assert!(next > now && next <= now + 366 * DAY_S, "{days}");
        }
    }
}
