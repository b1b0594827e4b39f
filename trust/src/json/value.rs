//! JSON values, and objects as lists of fields that are sorted by name. A sorted list of two fields costs the memory
//! of two fields; the smallest node of a tree would cost eleven, and most objects of metadata have two fields.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::slice;

/// A JSON value; objects are in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i64),
    /// A number that `Int` cannot hold. Nothing here reads one, but signatures cover it.
    Large(u64),
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

/// A JSON object. Names are unique; their order is that of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(Vec<(String, Json)>);

impl Object {
    pub fn new() -> Object {
        Object::default()
    }

    /// Puts fields in order.
    ///
    /// # Errors
    /// The first name that appears twice.
    pub(super) fn from_fields(mut fields: Vec<(String, Json)>) -> Result<Object, String> {
        fields.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        match fields.windows(2).find(|two| two[0].0 == two[1].0) {
            Some(twice) => Err(twice[0].0.clone()),
            None => Ok(Object(fields)),
        }
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.place(name).ok().map(|at| &self.0[at].1)
    }

    /// The value of that name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.place(name).ok().map(|at| &mut self.0[at].1)
    }

    /// True if there is a field of that name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Puts a field in and gives its old value.
    pub fn insert(&mut self, name: String, value: Json) -> Option<Json> {
        match self.place(&name) {
            Ok(at) => Some(core::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Takes a field out and gives its value.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        self.place(name).ok().map(|at| self.0.remove(at).1)
    }

    /// Keeps the fields for which this is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&String, &mut Json) -> bool) {
        self.0.retain_mut(|(name, value)| keep(name, value));
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields in order.
    pub fn iter(&self) -> Iter<'_> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// The names in order.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }

    /// The values in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &Json> {
        self.0.iter().map(|(_, value)| value)
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(name))
    }
}

/// The fields of an object in order.
pub type Iter<'a> = core::iter::Map<slice::Iter<'a, (String, Json)>, fn(&(String, Json)) -> (&String, &Json)>;

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a String, &'a Json);
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for Object {
    type Item = (String, Json);
    type IntoIter = vec::IntoIter<(String, Json)>;
    fn into_iter(self) -> vec::IntoIter<(String, Json)> {
        self.0.into_iter()
    }
}

impl Extend<(String, Json)> for Object {
    fn extend<I: IntoIterator<Item = (String, Json)>>(&mut self, fields: I) {
        for (name, value) in fields {
            self.insert(name, value);
        }
    }
}

impl FromIterator<(String, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(fields: I) -> Object {
        let mut object = Object::new();
        object.extend(fields);
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_the_order_of_their_names_whatever_happens() {
        let names = ["b", "", "é", "a", "B", "aa", "z"];
        let mut object: Object = names.iter().map(|name| ((*name).into(), Json::Null)).collect();
        let in_order = |object: &Object| object.keys().map(String::as_str).collect::<Vec<_>>().join(",");
        assert_eq!(in_order(&object), ",B,a,aa,b,z,é");
        assert_eq!(object.insert("a".into(), Json::Int(1)), Some(Json::Null));
        assert_eq!((object.get("a"), object.get("c"), object.len()), (Some(&Json::Int(1)), None, 7));
        assert_eq!(object.remove("b"), Some(Json::Null));
        object.retain(|name, _| !name.is_empty());
        assert_eq!(in_order(&object), "B,a,aa,z,é");
        let read: Vec<_> = object.clone().into_iter().rev().collect();
        assert_eq!(Object::from_fields(read.clone()), Ok(object));
        assert_eq!(Object::from_fields([read.clone(), read].concat()).unwrap_err(), "B");
    }
}
