namespace EventBus;

/// <summary>Executes the steps of a leased saga until it ends, waits, or needs attention.</summary>
/// <param name="definition">The saga.</param>
/// <param name="outbox">Sends the events that the saga has published.</param>
/// <param name="steps">Executes a step.</param>
/// <param name="writer">Saves the saga.</param>
/// <param name="draining">Cancelled while the bus stops: sagas between two steps are left to other instances.</param>
internal sealed class SagaExecutor(
    SagaDefinition definition,
    SagaOutboxSender outbox,
    SagaStepExecutor steps,
    SagaStateWriter writer,
    CancellationToken draining)
{
    /// <summary>Processes the saga until nothing is left to do now.</summary>
    public async Task ExecuteAsync(LeasedSaga leased)
    {
        bool continues;
        do
        {
            continues = await ContinueAsync(leased);
        }
        while (continues);
    }

    /// <summary>Sends the events of the saga and executes its active step.</summary>
    /// <returns>True if the saga continues at once; false if it was released, has ended or needs attention.</returns>
    private async Task<bool> ContinueAsync(LeasedSaga leased)
    {
        var progress = leased.Progress;
        if (SagaTransitions.IsEnd(leased.Entry.Status))
        {
            // The waiting callers do not wait until the events of the ended saga are sent.
            writer.ReportEnd(leased);
        }

        if (!await outbox.SendAsync(leased))
        {
            return false;
        }

        if (SagaTransitions.IsEnd(leased.Entry.Status))
        {
            if (progress.Held)
            {
                await writer.ReleaseUntilAsync(leased, _ => { }, _ => null);
            }

            return false;
        }

        if (draining.IsCancellationRequested)
        {
            await writer.ReleaseAsync(leased);
            return false;
        }

        if (progress.Active() is not { } active
            || definition.Find(active.Name) is not { } step
            || (active.Status == SagaStepStatus.Compensating && !step.HasCompensation))
        {
            var missing = leased.Entry.Status == SagaStatus.Compensating ? "a compensation of the step" : "a step";
            await writer.HaltAsync(
                leased,
                $"This application does not have {missing} '{progress.Active()?.Name}' of the saga '{definition.Name}'. Add it again under "
                    + "this name, then retry the saga.",
                null,
                static (halted, _) => SagaStateWriter.ClearBegun(halted));
            return false;
        }

        return await steps.ContinueAsync(leased, step, active);
    }
}
