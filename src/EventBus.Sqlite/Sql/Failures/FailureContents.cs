using EventBus.Stores;

namespace EventBus;

/// <summary>
/// The large parts of an entry, as bytes. They are serialized before the entry is queued for the database.
/// </summary>
internal readonly record struct FailureContents(byte[] Attributes, byte[] Body, byte[] History)
{
    public static FailureContents Of(FailedEvent entry) =>
        new(StoreFormat.WriteAttributes(entry.Envelope), SqlEnvelope.BodyOf(entry.Envelope), StoreFormat.WriteHistory(entry.History));
}
