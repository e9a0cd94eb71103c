using EventBus.Stores;

namespace EventBus;

/// <summary>
/// The large parts of an entry, as bytes. The caller serializes them before it queues the write, so that the writer
/// does not spend time on it.
/// </summary>
internal readonly record struct FailureContents(byte[] Attributes, byte[] Body, byte[] History)
{
    public static FailureContents Of(FailedEvent entry) =>
        new(StoreFormat.WriteAttributes(entry.Envelope), SqlEnvelope.BodyOf(entry.Envelope), StoreFormat.WriteHistory(entry.History));
}
