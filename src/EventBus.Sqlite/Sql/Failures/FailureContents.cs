using EventBus.Stores;

namespace EventBus;

/// <summary>What is large in an entry, as bytes: written before the entry waits for its turn at the database.</summary>
internal readonly record struct FailureContents(byte[] Attributes, byte[] Body, byte[] History)
{
    public static FailureContents Of(FailedEvent entry) =>
        new(StoreFormat.WriteAttributes(entry.Envelope), SqlEnvelope.BodyOf(entry.Envelope), StoreFormat.WriteHistory(entry.History));
}
