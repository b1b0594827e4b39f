//! Reading fields out of JSON with errors that name the field: `signed.meta.snapshot.json.version must be …`.

use crate::json::{Json, Object};
use crate::moment::Moment;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A field that is missing or has a wrong value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// The field as a dotted path.
    pub path: String,
    /// The value that the field must have, in words.
    pub must_be: &'static str,
}

/// A value and the path that leads to it.
#[derive(Clone)]
pub struct Field<'a> {
    path: String,
    value: Option<&'a Json>,
}

impl<'a> Field<'a> {
    /// The outermost value.
    pub fn top(value: &'a Json) -> Self {
        Field { path: String::new(), value: Some(value) }
    }

    /// The field of that name. A missing field is a fault only when its value is read.
    ///
    /// # Errors
    /// This value is not an object.
    pub fn field(&self, name: &str) -> Result<Field<'a>, FieldFault> {
        let value = self.object()?.get(name);
        Ok(Field { path: self.path_of(name), value })
    }

    /// The field of that name; `None` if it is missing.
    ///
    /// # Errors
    /// This value is not an object.
    pub fn optional(&self, name: &str) -> Result<Option<Field<'a>>, FieldFault> {
        let field = self.field(name)?;
        Ok(field.value.is_some().then_some(field))
    }

    /// Every field of an object, by name.
    ///
    /// # Errors
    /// This value is not an object.
    pub fn entries(&self) -> Result<Vec<(&'a str, Field<'a>)>, FieldFault> {
        let named = |(name, value): (&'a String, &'a Json)| {
            (name.as_str(), Field { path: self.path_of(name), value: Some(value) })
        };
        Ok(self.object()?.iter().map(named).collect())
    }

    /// Every item of an array of at most `most` items.
    ///
    /// # Errors
    /// This value is not an array, or is longer.
    pub fn items(&self, most: usize) -> Result<Vec<Field<'a>>, FieldFault> {
        let Some(Json::List(list)) = self.value else { return Err(self.fault("a list")) };
        if list.len() > most {
            return Err(self.fault("a shorter list"));
        }
        let numbered = |(index, value)| Field { path: format!("{}[{index}]", self.path), value: Some(value) };
        Ok(list.iter().enumerate().map(numbered).collect())
    }

    /// The value as a string.
    ///
    /// # Errors
    /// This value is not a string.
    pub fn text(&self) -> Result<&'a str, FieldFault> {
        match self.value {
            Some(Json::Text(text)) => Ok(text),
            _ => Err(self.fault("a string")),
        }
    }

    /// A whole number from `least` to `most`.
    ///
    /// # Errors
    /// This value is not such a number.
    pub fn number(&self, least: u64, most: u64, must_be: &'static str) -> Result<u64, FieldFault> {
        match self.value {
            Some(Json::Int(number)) => {
                let number = u64::try_from(*number).map_err(|_| self.fault(must_be))?;
                if (least..=most).contains(&number) { Ok(number) } else { Err(self.fault(must_be)) }
            }
            _ => Err(self.fault(must_be)),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// This value is neither.
    pub fn truth(&self) -> Result<bool, FieldFault> {
        match self.value {
            Some(Json::Bool(truth)) => Ok(*truth),
            _ => Err(self.fault("true or false")),
        }
    }

    /// A moment as TUF writes it.
    ///
    /// # Errors
    /// This value is not one.
    pub fn moment(&self) -> Result<Moment, FieldFault> {
        let must_be = "a moment like 2030-01-31T00:00:00Z";
        self.text().ok().and_then(Moment::parse).ok_or_else(|| self.fault(must_be))
    }

    /// The value as JSON.
    ///
    /// # Errors
    /// It is missing.
    pub fn json(&self) -> Result<&'a Json, FieldFault> {
        self.value.ok_or_else(|| self.fault("there"))
    }

    /// A fault at this field.
    pub fn fault(&self, must_be: &'static str) -> FieldFault {
        let path = if self.path.is_empty() { "the file".into() } else { self.path.clone() };
        FieldFault { path, must_be }
    }

    fn object(&self) -> Result<&'a Object, FieldFault> {
        match self.value {
            Some(Json::Object(fields)) => Ok(fields),
            _ => Err(self.fault("an object")),
        }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) }
    }
}
