using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Converts an event to and from its columns.</summary>
internal static class SqlEnvelope
{
    public static byte[] BodyOf(Envelope envelope) => envelope.Body.ToArray();

    /// <summary>
    /// Reads an event. Returns a placeholder with a defect if the event cannot be read, or if its id differs from the
    /// id that it is stored under.
    /// </summary>
    public static Envelope Read(byte[] attributes, byte[] body, string id, string name, string? defect)
    {
        if (defect is null)
        {
            var envelope = StoreFormat.Read(attributes, body, id, name);
            if (envelope.Id == id)
            {
                return envelope;
            }

            defect = "The stored entry cannot be read: its attributes are those of another event.";
        }

        return new Envelope(new EnvelopeAttributes { Id = id, Name = name, Defect = defect }, body);
    }
}
