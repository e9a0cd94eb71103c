using System.Data.Common;

namespace EventBus;

/// <summary>
/// Represents the context of a handler that is tested in isolation. Collects the events that the handler publishes, and
/// sends none.
/// </summary>
internal sealed class CollectingEventContext(TestEventContextOptions values) : EventContext
{
    private readonly List<object> published = [];
    private readonly List<Func<DbTransaction, CancellationToken, Task>> effects = [];

    public override string EventId => values.EventId;

    public override string EventName => values.EventName;

    public override int EventVersion => values.EventVersion;

    public override string? Key => values.Key;

    public override DateTimeOffset Time => values.Time;

    public override IReadOnlyDictionary<string, string> Headers => values.Headers;

    public override string CorrelationId => values.CorrelationId ?? values.EventId;

    public override string? CausationId => values.CausationId;

    public override string? Source => values.Source;

    public override string Subscription => values.Subscription;

    public override int Attempt => values.Attempt;

    public override bool IsManualRetry => values.IsManualRetry;

    public override bool IsReplay => values.IsReplay;

    public override string IdempotencyKey => $"{Subscription}~{EventId}";

    public override long FencingToken => values.FencingToken;

    public override object? Event => values.Event;

    public override ReadOnlyMemory<byte> Body => values.Body;

    public override IServiceProvider Services => values.Services ?? throw new InvalidOperationException(
        $"This context has no services. Set {nameof(TestEventContextOptions)}.{nameof(TestEventContextOptions.Services)}.");

    public override IReadOnlyList<object> Published => published;

    public override IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> CommitEffects => effects;

    public override Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(@event);
        cancellationToken.ThrowIfCancellationRequested();
        if (published.Count >= MaxPublished)
        {
            throw TooManyPublished();
        }

        published.Add(@event);
        return Task.CompletedTask;
    }

    public override void OnCommit(Func<DbTransaction, CancellationToken, Task> effect)
    {
        ArgumentNullException.ThrowIfNull(effect);
        effects.Add(effect);
    }
}
