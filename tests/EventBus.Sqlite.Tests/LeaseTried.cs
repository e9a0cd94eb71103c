namespace EventBus.Sqlite.Tests;

[EventName("lease.tried")]
public sealed record LeaseTried(int Number);
