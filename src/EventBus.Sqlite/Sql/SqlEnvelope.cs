using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>An event as its columns have it.</summary>
internal static class SqlEnvelope
{
    public static byte[] BodyOf(Envelope envelope) => envelope.Body.ToArray();

    /// <summary>Reads an event; a placeholder that says what is wrong where that is impossible, or where the event is not the one under whose id it is kept.</summary>
    public static Envelope Read(byte[] attributes, byte[] body, string id, string name, string? defect)
    {
        if (defect is null)
        {
            var envelope = StoreFormat.Read(attributes, body, id, name);
            if (envelope.EventId == id)
            {
                return envelope;
            }

            defect = "The stored entry cannot be read: its attributes are those of another event.";
        }

        return new Envelope(new EnvelopeAttributes { Id = id, Name = name, Defect = defect }, body);
    }
}
