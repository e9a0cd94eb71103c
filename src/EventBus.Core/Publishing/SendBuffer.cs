using EventBus.Transports;

namespace EventBus;

/// <summary>Contains one event that is being sent, and its outcome.</summary>
internal sealed class SendBuffer
{
    public Envelope[] Envelopes { get; } = new Envelope[1];

    public PublishOutcome[] Outcomes { get; } = new PublishOutcome[1];

    public void Clear()
    {
        Envelopes[0] = null!;
        Outcomes[0] = default;
    }
}
