namespace EventBus.Conformance;

/// <summary>The event that most scenarios use.</summary>
[EventName(EventName)]
internal sealed record ParcelSent(int Number, string? Note = null)
{
    public const string EventName = "parcel.sent";
}
