//! The list of a bucket's objects, as far as an upload needs it. Stores differ in everything else that they say there.

use instant_xml::FromXml;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// One page of the list.
#[derive(Debug, FromXml)]
#[xml(rename = "ListBucketResult", ns(NAMESPACE))]
pub(crate) struct ObjectList {
    pub contents: Vec<Object>,
    #[xml(rename = "NextContinuationToken")]
    pub next: Option<String>,
}

/// An object: its key, and its length in bytes.
#[derive(Debug, PartialEq, Eq, FromXml)]
#[xml(rename = "Contents", ns(NAMESPACE))]
pub(crate) struct Object {
    #[xml(rename = "Key")]
    pub key: String,
    #[xml(rename = "Size")]
    pub size: u64,
}

/// Reads a page. Older stores leave the namespace out.
///
/// # Errors
/// It is no list.
pub(crate) fn read(text: &str) -> Result<ObjectList, instant_xml::Error> {
    if text.contains(NAMESPACE) {
        return instant_xml::from_str(text);
    }
    instant_xml::from_str(&text.replacen(
        "<ListBucketResult",
        &format!("<ListBucketResult xmlns=\"{NAMESPACE}\""),
        1,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_several_stores_are_read() {
        let long = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                    <Name>b</Name><Prefix>p/</Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>\
                    <Contents><Key>p/a&amp;b</Key><LastModified>2026-11-30T19:00:00.000Z</LastModified>\
                    <ETag>&quot;99914b932bd37a50b983c5e7c90ae93b&quot;</ETag><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>\
                    <Size>2</Size><Owner><ID>x</ID></Owner><StorageClass>STANDARD</StorageClass></Contents>\
                    <Contents><Size>3</Size><Key>p/c</Key></Contents>\
                    <NextContinuationToken>token</NextContinuationToken></ListBucketResult>";
        let objects = [Object { key: "p/a&b".into(), size: 2 }, Object { key: "p/c".into(), size: 3 }];
        let list = read(long).unwrap();
        assert_eq!((&list.contents[..], list.next.as_deref()), (&objects[..], Some("token")));
        let bare = long.replace(" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"", "");
        assert_eq!(read(&bare).unwrap().contents, objects);
        let empty = "<ListBucketResult><Name>b</Name><KeyCount>0</KeyCount></ListBucketResult>";
        assert!(read(empty).unwrap().contents.is_empty());
        assert!(read("<html>hello</html>").is_err() && read("").is_err());
    }
}
