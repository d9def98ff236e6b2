//! Asks the registries that a connector's configuration names, from the thread that reads topics.

use cutover_clients::registry::{Registered, Registry, RegistryAddress, RegistryError};
use tokio::runtime::{Builder, Runtime};

use crate::RecordError;
use crate::decode::{ConverterModes, Part, SchemaSource};

/// The registries of keys and values. Blocks while it asks, so it lives on a thread that may.
pub(crate) struct Registries {
    runtime: Runtime,
    keys: Option<Registry>,
    values: Option<Registry>,
}

impl Registries {
    /// Those that the settings name; `None` if they name none.
    pub(crate) fn of(modes: &ConverterModes) -> Result<Option<Registries>, RecordError> {
        if modes.key_registry.is_none() && modes.value_registry.is_none() {
            return Ok(None);
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        let client = |address: &Option<RegistryAddress>| address.as_ref().map(Registry::new);
        Ok(Some(Registries {
            runtime: runtime.map_err(RecordError::NoThread)?,
            keys: client(&modes.key_registry),
            values: client(&modes.value_registry),
        }))
    }
}

impl SchemaSource for Registries {
    fn schema(&mut self, part: Part, id: u32) -> Option<Result<Option<Registered>, RegistryError>> {
        let registry = match part {
            Part::Key => self.keys.as_ref(),
            Part::Value => self.values.as_ref(),
        };
        registry.map(|registry| self.runtime.block_on(registry.schema(id)))
    }
}
