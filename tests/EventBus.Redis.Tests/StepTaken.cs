namespace EventBus.Redis.Tests;

[EventName("parcel.stepped")]
internal sealed record StepTaken(int Key, int Number);
