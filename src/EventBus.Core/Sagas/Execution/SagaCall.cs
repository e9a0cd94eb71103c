using EventBus.Transports;

namespace EventBus;

/// <summary>One run of a step, as far as its types do not matter.</summary>
internal sealed class SagaCall(string sagaId, string step, SagaDirection direction, int attempt, long fence)
{
    private const int MaxPublished = 1_000;

    private readonly List<object> published = [];
    private bool ended;

    public string SagaId => sagaId;

    public string Step => step;

    public SagaDirection Direction => direction;

    public int Attempt => attempt;

    public long Fence => fence;

    public IReadOnlyList<object> Published => published;

    /// <summary>What the keys of effects begin with.</summary>
    public string EffectPrefix { get; init; } = "";

    /// <summary>The reply that came, as JSON (UTF-8); empty for other directions.</summary>
    public ReadOnlyMemory<byte> Reply { get; init; }

    /// <summary>Makes the envelope of an event; null in a test, where it goes nowhere.</summary>
    public Func<object, PublishOptions?, int, Envelope>? Create { get; init; }

    /// <summary>What was published, to be kept with the step's success.</summary>
    public List<Envelope> Outbox { get; } = [];

    public void Publish(object @event, PublishOptions? options)
    {
        if (ended)
        {
            throw new InvalidOperationException("The step has ended, and its context with it: what is published through it now would go nowhere. Await everything that a step starts.");
        }

        if (published.Count >= MaxPublished)
        {
            throw new PublishException($"One run of a step may publish at most {MaxPublished} events.", PublishFailure.Rejected, null);
        }

        if (Create is not null)
        {
            Outbox.Add(Create(@event, options, published.Count + 1));
        }

        published.Add(@event);
    }

    /// <summary>The step has ended without an error: what goes wrong from now on says nothing of its effect.</summary>
    public bool HasSucceeded { get; private set; }

    /// <summary>The step has ended.</summary>
    public void End() => ended = true;

    /// <summary>The step has ended without an error.</summary>
    public void Succeed() => HasSucceeded = ended = true;
}
