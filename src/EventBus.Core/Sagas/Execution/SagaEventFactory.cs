using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Creates the events that report the progress of a saga, and the events that its steps publish.</summary>
internal sealed class SagaEventFactory(string saga, PublishComponents publishing, bool publishesEvents)
{
    /// <summary>The prefix of idempotency keys; empty for the default bus.</summary>
    public string EffectPrefix => publishing.EffectPrefix;

    /// <summary>Creates the event that a step was executed; none if such events are not wanted.</summary>
    public IEnumerable<StoredSagaEvent> StepCompleted(string sagaId, string step, string? traceParent) =>
        CreateStored(new SagaStepCompleted(sagaId, saga, step), sagaId, $"{step}/completed", traceParent);

    /// <summary>Creates the event that a saga has ended; none if such events are not wanted.</summary>
    public IEnumerable<StoredSagaEvent> Ended(string sagaId, SagaStatus status, SagaProgress progress) => status == SagaStatus.Completed
        ? CreateStored(new SagaCompleted(sagaId, saga), sagaId, "completed", progress.TraceParent)
        : CreateStored(
            new SagaFailed
            {
                SagaId = sagaId,
                Saga = saga,
                Status = status.ToString().ToLowerInvariant(),
                FailedStep = progress.FailedStep,
                Error = progress.ErrorType,
                Compensated = progress.CompensatedSteps(),
                Skipped = [.. progress.Steps.Where(step => step.Status == SagaStepStatus.Skipped).Select(step => step.Name)],
            },
            sagaId,
            "failed",
            progress.TraceParent);

    /// <summary>Creates the envelope of an event that a step publishes.</summary>
    /// <param name="event">The event.</param>
    /// <param name="options">The options of the publish; null for none.</param>
    /// <param name="call">The attempt of the step.</param>
    /// <param name="ordinal">The number of the event in the attempt: 1 for the first.</param>
    public Envelope Create(object @event, PublishOptions? options, SagaCall call, int ordinal) =>
        publishing.SagaEnvelopes.Create(@event, options, call.SagaId, OriginOf(saga, call.Step, call.Direction), ordinal);

    /// <summary>Derives the id of an event that a step publishes without setting an id.</summary>
    public static Guid IdOf(SagaEnvelopes envelopes, string saga, string sagaId, string step, SagaDirection direction, int ordinal) =>
        envelopes.IdOf(sagaId, OriginOf(saga, step, direction), ordinal);

    /// <summary>Converts an envelope to the form in which the outbox keeps it.</summary>
    public static StoredSagaEvent ToStored(Envelope envelope) =>
        new(envelope.Id, envelope.Name, StoreFormat.WriteAttributes(envelope), envelope.Body.ToArray());

    /// <summary>
    /// Identifies an operation of a step. The ids of the events that it publishes are derived from it.
    /// </summary>
    private static string OriginOf(string saga, string step, SagaDirection direction) => $"{saga}/{step}/{direction}";

    private IEnumerable<StoredSagaEvent> CreateStored<TEvent>(TEvent @event, string sagaId, string origin, string? traceParent)
        where TEvent : notnull
    {
        if (publishesEvents && publishing.Sender.MayHaveSubscribers(publishing.Envelopes.NameOf<TEvent>()))
        {
            var envelope = publishing.SagaEnvelopes.Create(@event, null, sagaId, $"{saga}/{origin}", 1);
            envelope.TraceParent ??= traceParent;
            yield return ToStored(envelope);
        }
    }
}
