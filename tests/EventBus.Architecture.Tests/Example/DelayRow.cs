namespace EventBus.Architecture.Tests.Example;

/// <summary>A row as a database keeps it: text, bytes and times, and no .NET type.</summary>
internal sealed record DelayRow(string EventId, byte[] Attributes, byte[] Body, DateTimeOffset DueAt, bool IsClaimed);
