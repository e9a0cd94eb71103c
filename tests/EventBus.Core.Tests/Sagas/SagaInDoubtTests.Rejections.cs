using Microsoft.Extensions.Hosting;

namespace EventBus.Sagas;

public sealed partial class SagaInDoubtTests
{
    [Fact]
    public async Task Timeout_OfAStepRejectedByTimeoutExceptions_IsNoRejection()
    {
        script.Doing = (run, _, ct) => run == "+hotel" ? Task.Delay(Timeout.InfiniteTimeSpan, ct) : Task.CompletedTask;
        await using var bus = await script.StartTripsAsync((saga, s) =>
        {
            saga.Step("flight", s, undo: true);
            saga.Step("hotel", s, undo: true).Retry(0).Timeout(TimeSpan.FromMilliseconds(50)).RejectedBy<TimeoutException>();
        });

        Assert.Equal(["hotel", "flight"], (await bus.RunTripAsync()).Compensated);
    }

    [Fact]
    public async Task Timeout_ReportedAsARejection_IsNoRejection()
    {
        script.Doing = (run, _, ct) => run == "+hotel" ? DeclineWhenCancelledAsync(ct) : Task.CompletedTask;
        await using var bus = await script.StartTripsAsync((saga, s) =>
        {
            saga.Step("flight", s, undo: true);
            saga.Step("hotel", s, undo: true).Retry(0).Timeout(TimeSpan.FromMilliseconds(50)).RejectedBy<DeclinedException>();
        });

        Assert.Equal(["hotel", "flight"], (await bus.RunTripAsync()).Compensated);
    }

    [Fact]
    public async Task Stop_ReportedByAStepAsARejection_IsAnInterruption()
    {
        var runs = 0;
        script.Doing = (run, _, ct) => run == "+hotel" && ++runs == 1 ? DeclineWhenCancelledAsync(ct) : Task.CompletedTask;
        await StartAndStopAsync(() => runs == 1);

        var (result, info) = await ContinueAsync();

        Assert.Equal(SagaStatus.Completed, result.Status);
        Assert.Contains(info.History, entry => entry is { Step: "hotel", Text: "interrupted by a stop" });
    }

    [Fact]
    public async Task Result_ThatCannotBeStored_IsNoRejection()
    {
        script.Doing = (run, context, _) =>
        {
            if (run == "+hotel")
            {
                context.State.Done.Add(new string('x', 1_000_000));
            }

            return Task.CompletedTask;
        };
        await using var bus = await script.StartTripsAsync((saga, s) =>
        {
            saga.Step("flight", s, undo: true);
            saga.Step("hotel", s, undo: true).Retry(0).RejectedBy<InvalidOperationException>();
        });

        var result = await bus.RunTripAsync();

        Assert.Contains("The state has", result.Error, StringComparison.Ordinal);
        Assert.Equal(["hotel", "flight"], result.Compensated);
    }

    /// <summary>
    /// A client that reports the cancellation of its call with the same exception type as a refusal of its service.
    /// </summary>
    private static async Task DeclineWhenCancelledAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            throw new DeclinedException();
        }
    }
}
