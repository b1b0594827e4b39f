//! The answers of a DDI server, read strictly: bounded in bytes, depth and number, with the fields that a device needs and no
//! others. An answer that means nothing is a fault, and nothing follows from it.
//!
//! Addresses in answers are not asked: only the id and the query of a link are taken, so that no answer leads the device, and
//! the token that it shows, to another server.

use super::action::{ActionId, Names};
use super::polling::parse_sleep;
use crate::fault::{Text, text};
use crate::identifiers::Version;
use crate::update::fleet_order::FleetOrder;
use alloc::string::{String, ToString};
use komainu_trust::fields::{Field, FieldFault};
use komainu_trust::json;
use komainu_trust::json::Json;

/// Largest answer to a poll, and to a question about a cancellation, in bytes.
pub const BASE_BYTES_MAX: u64 = 16 * 1024;
/// Largest description of a deployment, in bytes: it may list many files.
pub const DEPLOYMENT_BYTES_MAX: u64 = 128 * 1024;
/// Software modules of a deployment that are read at most.
const CHUNKS_MAX: usize = 256;
/// Longest query of a link that is sent back, in bytes.
const QUERY_BYTES_MAX: usize = 64;

/// The answer to a poll.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// Seconds until the next poll, as the server wants it.
    pub sleep_seconds: Option<u32>,
    /// An action is there.
    pub deployment: Option<Link>,
    /// An action shall be withdrawn.
    pub cancel: Option<Link>,
    /// An action waits for consent.
    pub confirmation: Option<Link>,
    /// The server wants the attributes of this device.
    pub wants_attributes: bool,
}

/// A link to an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub id: ActionId,
    /// The query, which tells the server the version of its own answer: `c=-2129030598`. Empty where there is none.
    pub query: String,
}

/// The description of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: ActionId,
    /// How far it lets a release go.
    pub order: FleetOrder,
    /// The versions of its software modules.
    pub names: Names,
}

/// Reads the answer to a poll.
///
/// # Errors
/// It is none; in words.
pub fn base(bytes: &[u8]) -> Result<Base, Text> {
    const WANTED: &[&str] = &[
        "config",
        "polling",
        "sleep",
        "_links",
        "deploymentBase",
        "cancelAction",
        "confirmationBase",
        "configData",
        "href",
    ];
    read(bytes, BASE_BYTES_MAX, WANTED, |top| {
        let mut base = Base::default();
        if let Some(config) = there(top, "config")?
            && let Some(polling) = there(&config, "polling")?
            && let Some(sleep) = there(&polling, "sleep")?
        {
            base.sleep_seconds = parse_sleep(sleep.text()?);
        }
        let Some(links) = there(top, "_links")? else { return Ok(base) };
        base.deployment = link(&links, "deploymentBase")?;
        base.cancel = link(&links, "cancelAction")?;
        base.confirmation = link(&links, "confirmationBase")?;
        base.wants_attributes = there(&links, "configData")?.is_some();
        Ok(base)
    })
}

/// Reads the description of a deployment.
///
/// # Errors
/// It is none, or of another action; in words.
pub fn deployment(bytes: &[u8], asked: &ActionId) -> Result<Deployment, Text> {
    const WANTED: &[&str] =
        &["id", "deployment", "download", "update", "maintenanceWindow", "chunks", "version"];
    read(bytes, DEPLOYMENT_BYTES_MAX, WANTED, |top| {
        let id = id(&top.field("id")?)?;
        if id != *asked {
            return Err(top.field("id")?.fault("the id that was asked for"));
        }
        let within = top.field("deployment")?;
        let mut names = Names::new();
        for chunk in within.field("chunks")?.items(CHUNKS_MAX)? {
            let version = chunk.field("version")?;
            // A version that no release of ours can have is no name of one.
            if let Some(version) = Version::parse(&word(&version)?).filter(|version| !names.contains(version))
            {
                // A full list stays as it is.
                let _ = names.push(version);
            }
        }
        Ok(Deployment { id, order: order(&within)?, names })
    })
}

/// Reads the description of a cancellation: the id of the action that shall stop.
///
/// # Errors
/// It is none; in words.
pub fn cancellation(bytes: &[u8]) -> Result<ActionId, Text> {
    read(bytes, BASE_BYTES_MAX, &["cancelAction", "stopId"], |top| {
        id(&top.field("cancelAction")?.field("stopId")?)
    })
}

fn read<T>(
    bytes: &[u8],
    bytes_max: u64,
    wanted: &[&str],
    fields: impl FnOnce(&Field<'_>) -> Result<T, FieldFault>,
) -> Result<T, Text> {
    if bytes.len() as u64 > bytes_max {
        return Err(text(format_args!("{} bytes, allowed are {bytes_max}", bytes.len())));
    }
    let value =
        json::parse_only(bytes, wanted).map_err(|why| text(format_args!("not acceptable JSON: {why}")))?;
    fields(&Field::top(&value))
        .map_err(|fault| text(format_args!("{} must be {}", fault.path, fault.must_be)))
}

/// The field, unless it is missing or null: some servers write null for what is not there.
fn there<'a>(within: &Field<'a>, name: &str) -> Result<Option<Field<'a>>, FieldFault> {
    let field = within.optional(name)?;
    match &field {
        Some(found) if *found.json()? == Json::Null => Ok(None),
        _ => Ok(field),
    }
}

fn link(links: &Field<'_>, name: &str) -> Result<Option<Link>, FieldFault> {
    let Some(found) = there(links, name)? else { return Ok(None) };
    let href = found.field("href")?;
    let link = parse_link(href.text()?, name);
    link.map(Some).ok_or_else(|| href.fault("a link that ends with the id of an action"))
}

/// Takes the id and the query out of an address: `…/deploymentBase/17?c=-2129030598`.
fn parse_link(href: &str, name: &str) -> Option<Link> {
    let (path, query) = href.split_once('?').unwrap_or((href, ""));
    let (before, id) = path.rsplit_once('/')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=-_.~&".contains(&byte);
    let right = before.rsplit('/').next() == Some(name)
        && query.len() <= QUERY_BYTES_MAX
        && query.bytes().all(is_plain);
    Some(Link { id: ActionId::parse(id).filter(|_| right)?, query: query.into() })
}

fn id(field: &Field<'_>) -> Result<ActionId, FieldFault> {
    ActionId::parse(&word(field)?).ok_or_else(|| field.fault("the id of an action"))
}

/// A word, or a whole number written as one.
fn word(field: &Field<'_>) -> Result<String, FieldFault> {
    match field.json()? {
        Json::Text(text) => Ok(text.clone()),
        Json::Int(number) => Ok(number.to_string()),
        _ => Err(field.fault("a word or a number")),
    }
}

/// How far a release may go. `forced` and `attempt` differ for a person at the device only; the owner's postponement and
/// the maker's windows hold in both.
fn order(within: &Field<'_>) -> Result<FleetOrder, FieldFault> {
    let handling = |name: &str| -> Result<bool, FieldFault> {
        let Some(field) = there(within, name)? else { return Ok(true) };
        match field.text()? {
            "attempt" | "forced" => Ok(true),
            "skip" => Ok(false),
            _ => Err(field.fault("skip, attempt or forced")),
        }
    };
    let window_is_open = match there(within, "maintenanceWindow")? {
        None => true,
        Some(field) => match field.text()? {
            "available" => true,
            "unavailable" => false,
            _ => return Err(field.fault("available or unavailable")),
        },
    };
    Ok(match (handling("download")?, handling("update")? && window_is_open) {
        (false, _) => FleetOrder::Hold,
        (true, false) => FleetOrder::Stage,
        (true, true) => FleetOrder::Start,
    })
}

#[cfg(test)]
mod tests;
