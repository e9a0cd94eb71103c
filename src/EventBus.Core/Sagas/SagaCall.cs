using EventBus.Transports;

namespace EventBus;

/// <summary>Holds the data of one attempt of a step, without the types of the saga.</summary>
internal sealed class SagaCall(string sagaId, string step, SagaDirection direction, int attempt, long fencingToken)
{
    private const int MaxPublished = 1_000;

    private readonly List<object> published = [];
    private bool ended;

    public string SagaId => sagaId;

    public string Step => step;

    public SagaDirection Direction => direction;

    public int Attempt => attempt;

    public long FencingToken => fencingToken;

    public IReadOnlyList<object> Published => published;

    /// <summary>The prefix of the idempotency keys; empty for the default bus.</summary>
    public string EffectPrefix { get; init; } = "";

    /// <summary>
    /// The received reply as JSON (UTF-8); empty if the direction is not <see cref="SagaDirection.Reply"/>.
    /// </summary>
    public ReadOnlyMemory<byte> Reply { get; init; }

    /// <summary>
    /// Creates the envelope of an event from the event, its options and its ordinal in this attempt (1 for the first).
    /// Null in a test, where events are not sent.
    /// </summary>
    public Func<object, PublishOptions?, int, Envelope>? CreateEnvelope { get; init; }

    /// <summary>The envelopes of the published events, to be stored with the success of the step.</summary>
    public List<Envelope> Outbox { get; } = [];

    /// <summary>
    /// True if the code of the step has ended without an error. An error that occurs afterwards says nothing about the
    /// effect of the step.
    /// </summary>
    public bool HasSucceeded { get; private set; }

    public void Publish(object @event, PublishOptions? options)
    {
        if (ended)
        {
            throw new InvalidOperationException(
                "The step and its context have ended, so nothing can be published through the context. Await everything that a step "
                    + "starts.");
        }

        if (published.Count >= MaxPublished)
        {
            throw new PublishException($"One attempt of a step may publish at most {MaxPublished} events.", PublishFailure.Rejected, null);
        }

        if (CreateEnvelope is not null)
        {
            Outbox.Add(CreateEnvelope(@event, options, published.Count + 1));
        }

        published.Add(@event);
    }

    /// <summary>Marks the attempt as ended.</summary>
    public void End() => ended = true;

    /// <summary>Marks the attempt as ended without an error.</summary>
    public void Succeed()
    {
        HasSucceeded = true;
        ended = true;
    }
}
