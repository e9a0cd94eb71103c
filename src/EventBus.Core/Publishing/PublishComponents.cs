namespace EventBus;

/// <summary>Contains the composed objects that create and send events.</summary>
internal sealed record PublishComponents
{
    public required EnvelopeFactory Envelopes { get; init; }

    public required SagaEnvelopes SagaEnvelopes { get; init; }

    public required EventSender Sender { get; init; }

    /// <summary>
    /// Sends with one attempt, without the retries of <see cref="Sender"/>: delayed events stay in the store after a
    /// failure, and are sent again later.
    /// </summary>
    public required EventSender SingleAttempt { get; init; }

    public required BatchSender Batches { get; init; }

    public required Publisher Publisher { get; init; }

    public required FollowUpPublisher FollowUps { get; init; }

    /// <summary>Sends the events that other buses of the application forward to this one.</summary>
    public required ForwardSender Forwards { get; init; }

    /// <summary>The prefix of idempotency keys; empty for the default bus.</summary>
    public required string EffectPrefix { get; init; }
}
