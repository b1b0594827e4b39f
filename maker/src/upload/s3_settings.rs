//! Address, region and keys of an S3-compatible store, from the variables and files that its other tools read too.

use crate::files;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How to reach a store. It holds secrets, and is never printed.
#[derive(Default)]
pub(crate) struct S3Settings {
    /// The store's address; `None`: Amazon's, in the region.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub key_id: String,
    pub secret: String,
    pub session_token: Option<String>,
}

impl S3Settings {
    /// Reads the variables, and what they leave open from the files of a profile.
    ///
    /// # Errors
    /// There are no keys, or a file cannot be read; the text says where they were looked for.
    pub fn read() -> Result<S3Settings> {
        let variable = |name: &str| std::env::var(name).ok();
        let home = variable("HOME").map(PathBuf::from).unwrap_or_default();
        let file = |name: &str, usual: &str| variable(name).map_or_else(|| home.join(usual), PathBuf::from);
        let text = |path: &PathBuf| -> Result<String> {
            let bytes = files::read_at_most(path, FILE_BYTES_MAX)?.unwrap_or_default();
            String::from_utf8(bytes).ok().with_context(|| format!("{} is not text", path.display()))
        };
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
        let config = file("AWS_CONFIG_FILE", ".aws/config");
        S3Settings::from(&variable, &text(&credentials)?, &text(&config)?)
            .with_context(|| format!("looked in the variables, and in {}", credentials.display()))
    }

    fn from(
        variable: &dyn Fn(&str) -> Option<String>,
        credentials: &str,
        config: &str,
    ) -> Result<S3Settings> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let profile = set("AWS_PROFILE").unwrap_or_else(|| "default".into());
        let in_credentials = |field: &str| field_of(credentials, &[&profile], field);
        let long = format!("profile {profile}");
        let in_config = |field: &str| field_of(config, &[&long, &profile], field);
        let mut settings = S3Settings {
            endpoint: set("AWS_ENDPOINT_URL_S3")
                .or_else(|| set("AWS_ENDPOINT_URL"))
                .or_else(|| in_config("endpoint_url")),
            region: set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")).or_else(|| in_config("region")),
            ..S3Settings::default()
        };
        if let Some(key_id) = set("AWS_ACCESS_KEY_ID") {
            settings.key_id = key_id;
            settings.secret = set("AWS_SECRET_ACCESS_KEY")
                .context("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not: set both")?;
            settings.session_token = set("AWS_SESSION_TOKEN");
            return Ok(settings);
        }
        let (key_id, secret) = (in_credentials("aws_access_key_id"), in_credentials("aws_secret_access_key"));
        let (Some(key_id), Some(secret)) = (key_id, secret) else {
            bail!(
                "there are no keys for the store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with the \
                 profile [{profile}] in AWS_SHARED_CREDENTIALS_FILE"
            );
        };
        (settings.key_id, settings.secret) = (key_id, secret);
        settings.session_token = in_credentials("aws_session_token");
        Ok(settings)
    }
}

/// A field of the first of these sections that has it.
fn field_of(text: &str, sections: &[&str], field: &str) -> Option<String> {
    sections.iter().find_map(|section| {
        let mut inside = false;
        text.lines().find_map(|line| {
            // Lines that are drawn in belong to a field of their own.
            if line.starts_with([' ', '\t', '#', ';']) {
                return None;
            }
            if let Some(name) = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                inside = name.trim() == *section;
                return None;
            }
            let (name, value) = line.split_once('=').filter(|_| inside)?;
            let value = value.trim();
            (name.trim() == field && !value.is_empty()).then(|| value.to_owned())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "# a comment\n[default]\naws_access_key_id = ID\naws_secret_access_key=a/b+c=\n\n[other]\n\
                               aws_access_key_id = OTHER\naws_secret_access_key = secret\naws_session_token = token\n";
    const CONFIG: &str = "[default]\nregion = eu-west-1\n[profile other]\nregion = garage\nendpoint_url = http://127.0.0.1:3900\n\
                          s3 =\n  addressing_style = path\n";

    fn from(variables: &[(&str, &str)]) -> Result<S3Settings> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        S3Settings::from(&variable, CREDENTIALS, CONFIG)
    }

    #[test]
    fn variables_come_before_the_files_of_a_profile() {
        let settings = from(&[]).unwrap();
        assert_eq!((settings.key_id.as_str(), settings.secret.as_str()), ("ID", "a/b+c="));
        assert_eq!((settings.region.as_deref(), settings.endpoint), (Some("eu-west-1"), None));
        let settings = from(&[("AWS_PROFILE", "other"), ("AWS_REGION", "")]).unwrap();
        assert_eq!((settings.key_id.as_str(), settings.session_token.as_deref()), ("OTHER", Some("token")));
        assert_eq!(settings.region.as_deref(), Some("garage"));
        assert_eq!(settings.endpoint.as_deref(), Some("http://127.0.0.1:3900"));
        let all = [
            ("AWS_ACCESS_KEY_ID", "V"),
            ("AWS_SECRET_ACCESS_KEY", "S"),
            ("AWS_ENDPOINT_URL", "https://one"),
            ("AWS_ENDPOINT_URL_S3", "https://two"),
            ("AWS_DEFAULT_REGION", "r"),
        ];
        let settings = from(&all).unwrap();
        assert_eq!((settings.key_id.as_str(), settings.secret.as_str()), ("V", "S"));
        assert_eq!(settings.endpoint.as_deref(), Some("https://two"));
        assert_eq!((settings.region.as_deref(), settings.session_token), (Some("r"), None));
    }

    #[test]
    fn half_of_a_key_and_a_profile_that_is_not_there_are_named() {
        let fault = from(&[("AWS_ACCESS_KEY_ID", "V")]).err().unwrap().to_string();
        assert!(fault.contains("AWS_SECRET_ACCESS_KEY is not"), "{fault}");
        let fault = from(&[("AWS_PROFILE", "gone")]).err().unwrap().to_string();
        assert!(fault.contains("[gone]"), "{fault}");
    }
}
