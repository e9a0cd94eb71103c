using System.Runtime.InteropServices;
using System.Text.Json;
using EventBus.Stores;

namespace EventBus;

/// <summary>Converts stored sagas to their public form.</summary>
internal static class SagaInfoMapper
{
    /// <summary>
    /// Converts a saga. Never throws: if the saga cannot be read, <see cref="SagaInfo.Error"/> gives the reason.
    /// </summary>
    public static SagaInfo ToSagaInfo(SagaEntry entry)
    {
        var defect = entry.Defect;
        var progress = defect is null ? SagaProgress.Read(entry.Content, out defect) : null;
        return new SagaInfo
        {
            Id = entry.Id,
            Saga = entry.Saga,
            Status = entry.Status,
            FailedStep = FailedStepOf(entry, progress),
            Error = defect ?? progress?.Attention ?? progress?.Error ?? progress?.Active()?.Error,
            ErrorType = defect is null ? progress?.Active()?.ErrorType ?? progress?.ErrorType : null,
            StartedAt = entry.StartedAt,
            ChangedAt = entry.ChangedAt,
            DueAt = entry.DueAt,
            Number = entry.Number,
            Steps = progress?.Steps.ConvertAll(
                step => new SagaStepInfo(step.Name, step.Status, step.Failures, step.Interruptions, step.Error)) ?? [],
            History = progress?.History ?? [],
            State = progress is { State.ValueKind: not JsonValueKind.Undefined }
                ? JsonMarshal.GetRawUtf8Value(progress.State).ToArray()
                : ReadOnlyMemory<byte>.Empty,
        };
    }

    /// <summary>True if the saga has ended or needs attention, so that a wait for its result is over.</summary>
    public static bool IsAtRest(SagaEntry entry) => entry.Status == SagaStatus.NeedsAttention || SagaTransitions.IsEnd(entry.Status);

    /// <summary>Creates the result of a saga that has ended or needs attention.</summary>
    /// <param name="entry">The saga.</param>
    /// <param name="read">Deserializes the stored state.</param>
    public static async Task<SagaResult<TState>> ResultAsync<TState>(SagaEntry entry, Func<StoredState, Task<object>> read)
        where TState : notnull
    {
        var progress = SagaProgress.Read(entry.Content, out var defect);
        var info = ToSagaInfo(entry);
        if (progress is null || entry.Defect is not null)
        {
            throw new EventBusException($"The saga '{entry.Saga}' {entry.Id} needs attention. {entry.Defect ?? defect}");
        }

        return new SagaResult<TState>
        {
            Id = entry.Id,
            Status = entry.Status,
            State = (TState)await read(new StoredState(progress.StateVersion, progress.State)),
            FailedStep = info.FailedStep,
            Error = info.Error,
            Compensated = progress.CompensatedSteps(),
        };
    }

    private static string? FailedStepOf(SagaEntry entry, SagaProgress? progress)
    {
        if (progress is { FailedStep: null } && entry.Status == SagaStatus.NeedsAttention)
        {
            // No step has failed, but the active one could not continue.
            return progress.Active()?.Name;
        }

        return progress?.FailedStep;
    }
}
