using System.Collections.ObjectModel;
using System.Reflection;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisWriteBatchTests
{
    /// <summary>The steps of a write at which its deadline may pass.</summary>
    public enum Moment
    {
        BeforeItIsSent,
        WhileRoomForItsAnswersIsMade,
        WhileItIsHandedOver,
        AfterItWasHandedOver,
    }

    /// <summary>The causes that end the wait for a batch.</summary>
    public enum Ending
    {
        Answer,
        AnswerWithinTheSend,
        Deadline,
    }

    [Theory]
    [InlineData(Moment.BeforeItIsSent, PublishStatus.Failed)]
    [InlineData(Moment.WhileRoomForItsAnswersIsMade, PublishStatus.Failed)]
    [InlineData(Moment.WhileItIsHandedOver, PublishStatus.InDoubt)]
    [InlineData(Moment.AfterItWasHandedOver, PublishStatus.InDoubt)]
    public async Task Send_DeadlineAtAnyMoment_IsFailedOnlyIfNothingWasSent(Moment moment, PublishStatus expected)
    {
        using var deadline = new CancellationTokenSource();
        var database = DispatchProxy.Create<IDatabase, SilentDatabase>();
        var entries = new WatchedEntries();
        var write = new RedisWriteBatch(entries, isTransaction: false, deadline.Token);
        var outcomeAtMoment = default(Task<PublishOutcome>);
        entries.Counted = () => Pass(Moment.WhileRoomForItsAnswersIsMade);
        ((SilentDatabase)(object)database).Asked = () => Pass(Moment.WhileItIsHandedOver);

        Pass(Moment.BeforeItIsSent);
        write.Send(database);
        Pass(Moment.AfterItWasHandedOver);
        await write.Ended.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);

        // The outcome that the caller gets at the deadline, and the later outcome.
        Assert.Equal((expected, expected), ((await outcomeAtMoment!).Status, (await write.OutcomeAsync(0)).Status));
        Assert.Equal(expected != PublishStatus.Failed, ((SilentDatabase)(object)database).IsUsed);

        void Pass(Moment passed)
        {
            if (passed == moment && outcomeAtMoment is null)
            {
                deadline.Cancel();
                Assert.True(write.Ended.IsCompleted);
                outcomeAtMoment = write.OutcomeAsync(0).AsTask();
                Assert.True(outcomeAtMoment.IsCompleted);
            }
        }
    }

    /// <summary>
    /// The only publish that waits for a batch continues on the thread of the answer. It must never continue on one
    /// that still sends other batches, or that ends the waits of other publishes.
    /// </summary>
    [Theory]
    [InlineData(Ending.Answer, true)]
    [InlineData(Ending.AnswerWithinTheSend, false)]
    [InlineData(Ending.Deadline, false)]
    public async Task End_OfASingleWaiter_ContinuesOnTheThreadOfTheAnswerOnly(Ending ending, bool expected)
    {
        using var deadline = new CancellationTokenSource();
        using var isEnding = new ThreadLocal<bool>();
        var database = DispatchProxy.Create<IDatabase, SilentDatabase>();
        var answer = ((SilentDatabase)(object)database).Answer;
        var write = new RedisWriteBatch([("stream", [])], isTransaction: false, deadline.Token, hasOneWaiter: true);
        var continued = write.Ended.ContinueWith(
            _ => isEnding.Value,
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);

        // On the thread pool, like a publish: without a synchronization context.
        await Task.Run(
            () =>
            {
                if (ending == Ending.AnswerWithinTheSend)
                {
                    answer.SetResult("1-0");
                }
                else
                {
                    write.Send(database);
                }

                isEnding.Value = true;
                switch (ending)
                {
                    case Ending.Answer:
                        answer.SetResult("1-0");
                        break;
                    case Ending.AnswerWithinTheSend:
                        write.Send(database);
                        break;
                    default:
                        deadline.Cancel();
                        break;
                }

                isEnding.Value = false;
            },
            TestContext.Current.CancellationToken);

        Assert.Equal(expected, await continued.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken));
        var outcome = ending == Ending.Deadline ? PublishStatus.InDoubt : PublishStatus.Accepted;
        Assert.Equal(outcome, (await write.OutcomeAsync(0)).Status);
    }

    /// <summary>A database that accepts each call, and never answers unless a test does.</summary>
    public class SilentDatabase : DispatchProxy
    {
        public TaskCompletionSource<RedisValue> Answer { get; } = new();

        public Action Asked { get; set; } = () => { };

        public bool IsUsed { get; private set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            IsUsed = true;
            Asked();
            return Answer.Task;
        }
    }

    /// <summary>
    /// A list of one entry that signals when its count is read, which the write does between its two steps.
    /// </summary>
    private sealed class WatchedEntries : Collection<(RedisKey, NameValueEntry[])>, IList<(RedisKey, NameValueEntry[])>
    {
        public WatchedEntries() => Add(("stream", []));

        public Action Counted { get; set; } = () => { };

        int ICollection<(RedisKey, NameValueEntry[])>.Count
        {
            get
            {
                Counted();
                return Count;
            }
        }
    }
}
