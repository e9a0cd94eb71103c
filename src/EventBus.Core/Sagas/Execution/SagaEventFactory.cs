using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Creates the events that report the progress of a saga, and the events that its steps publish.</summary>
internal sealed class SagaEventFactory(string saga, PublishComponents publishing, bool publishesEvents)
{
    /// <summary>The prefix of idempotency keys; empty for the default bus.</summary>
    public string EffectPrefix => publishing.EffectPrefix;

    public IEnumerable<StoredSagaEvent> StepCompleted(string sagaId, string step, string? traceParent) =>
        Make(new SagaStepCompleted(sagaId, saga, step), sagaId, $"{step}/completed", traceParent);

    public IEnumerable<StoredSagaEvent> Ended(string sagaId, SagaStatus status, SagaProgress progress) => status == SagaStatus.Completed
        ? Make(new SagaCompleted(sagaId, saga), sagaId, "completed", progress.TraceParent)
        : Make(
            new SagaFailed
            {
                SagaId = sagaId,
                Saga = saga,
                Status = status.ToString().ToLowerInvariant(),
                FailedStep = progress.FailedStep,
                Error = progress.ErrorType,
                Compensated = progress.Undone(),
                Skipped = [.. progress.Steps.Where(step => step.Status == SagaStepStatus.Skipped).Select(step => step.Name)],
            },
            sagaId,
            "failed",
            progress.TraceParent);

    /// <summary>Creates the envelope of an event that a step publishes.</summary>
    public Envelope Create(object @event, PublishOptions? options, SagaCall call, int ordinal) =>
        publishing.Envelopes.CreateForSaga(@event, options, call.SagaId, OriginOf(saga, call.Step, call.Direction), ordinal);

    /// <summary>Derives the id of an event that a step publishes without setting an id.</summary>
    public static Guid IdOf(EnvelopeFactory envelopes, string saga, string sagaId, string step, SagaDirection direction, int ordinal) =>
        envelopes.IdForSaga(sagaId, OriginOf(saga, step, direction), ordinal);

    public static StoredSagaEvent ToStored(Envelope envelope) =>
        new(envelope.Id, envelope.Name, StoreFormat.WriteAttributes(envelope), envelope.Body.ToArray());

    private static string OriginOf(string saga, string step, SagaDirection direction) => $"{saga}/{step}/{direction}";

    private IEnumerable<StoredSagaEvent> Make<TEvent>(TEvent @event, string sagaId, string origin, string? traceParent)
        where TEvent : notnull
    {
        if (publishesEvents && publishing.Sender.MayHaveSubscribers(publishing.Envelopes.NameOf<TEvent>()))
        {
            var envelope = publishing.Envelopes.CreateForSaga(@event, null, sagaId, $"{saga}/{origin}", 1);
            envelope.TraceParent ??= traceParent;
            yield return ToStored(envelope);
        }
    }
}
