namespace EventBus.Sqlite.Tests;

[EventName("parcel.sent")]
internal sealed record ParcelSent(int Number);
