//! A whole request, read: what is asked, the decoded body, and everything odd about either.

use super::decode::{self, Decoded, Document};
use super::{Asked, Body, Irregular, Irregularity, Operation, build};

/// What a policy judges and a record describes.
#[derive(Debug)]
pub struct Call<'a> {
    /// The head.
    pub asked: &'a Asked,
    /// The body, as far as it is judged.
    pub body: Body<'a>,
    /// What is odd about the body; what is odd about the head is in `asked`.
    pub irregularities: Vec<Irregularity>,
    /// The body's JSON, for the redacted record and for writing it anew.
    pub document: Option<Document<'a>>,
}

impl<'a> Call<'a> {
    /// A call whose body is not read.
    pub fn unread(asked: &'a Asked) -> Self {
        let is_build = asked.operation == Operation::ImageBuild;
        let body = if is_build { Body::Build(build::read(&asked.query)) } else { Body::Unread };
        Self { asked, body, irregularities: Vec::new(), document: None }
    }

    /// Decodes a whole body the way the engine would. Never fails: what cannot be read is an [`Irregularity`].
    pub fn decode(asked: &'a Asked, body: &'a [u8]) -> Self {
        let Decoded { body, document, irregularities } = decode::decode(asked.operation, body);
        Self { asked, body, irregularities, document }
    }

    /// The body to send to the engine in place of the client's: each known key once, in its own spelling, unknown ones and
    /// all values as they came. `None` if there is no judged JSON, or none with exactly one reading: that has no other form
    /// that says the same, and if a policy lets it pass, its own bytes are what was judged.
    pub fn canonical_body(&self) -> Option<Vec<u8>> {
        let has_one_reading = |odd: &Irregularity| !matches!(odd.kind, Irregular::Ambiguous | Irregular::Malformed);
        let document = self.document.as_ref().filter(|_| self.irregularities.iter().all(has_one_reading))?;
        decode::write(self.asked.operation, document)
    }

    /// The folder of the host in which the engine is told to keep or find checkpoints, and the field that says so.
    pub fn checkpoint_folder(&self) -> Option<(&'static str, &str)> {
        let starts = self.asked.operation == Operation::ContainerStart;
        let looks = matches!(self.asked.operation, Operation::CheckpointList | Operation::CheckpointDelete);
        let (field, folder) = if let Body::CheckpointCreate(create) = &self.body {
            ("CheckpointDir", create.dir.as_deref())
        } else if starts {
            ("query.checkpoint-dir", self.asked.query.first("checkpoint-dir"))
        } else {
            ("query.dir", self.asked.query.first("dir").filter(|_| looks))
        };
        folder.filter(|folder| !folder.is_empty()).map(|folder| (field, folder))
    }

    /// Everything odd, head first.
    pub fn all_irregularities(&self) -> impl Iterator<Item = &Irregularity> {
        self.asked.irregularities.iter().chain(&self.irregularities)
    }
}
