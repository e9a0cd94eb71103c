namespace EventBus.Architecture.Tests.Example;

/// <summary>A row as a database stores it: text, bytes and times, without .NET types.</summary>
internal sealed record DelayRow(string EventId, byte[] Attributes, byte[] Body, DateTimeOffset DueAt, bool IsClaimed);
