using System.Data.Common;

namespace EventBus.Sqlite.Tests;

internal delegate Task Effect(DbTransaction transaction, CancellationToken cancellationToken);
