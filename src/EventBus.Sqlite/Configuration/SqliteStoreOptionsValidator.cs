using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of the SQLite stores against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class SqliteStoreOptionsValidator : IValidateOptions<SqliteStoreOptions>;
