namespace EventBus.Redis.Tests;

[EventName("parcel.sent")]
internal sealed record ParcelSent(int Number);
