namespace EventBus.Proof;

[EventName("report.filed")]
internal sealed record Report(long Parent, int Ordinal, long Run);
