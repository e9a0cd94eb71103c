using System.Collections.ObjectModel;
using System.Reflection;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisWriteBatchTests
{
    /// <summary>Steps of a write at which its time may be up.</summary>
    public enum Moment
    {
        BeforeItIsSent,
        WhileRoomForItsAnswersIsMade,
        WhileItIsHandedOver,
        AfterItWasHandedOver,
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
        var write = new RedisWriteBatch(entries, together: false, deadline.Token);
        var atThatMoment = default(Task<PublishOutcome>);
        entries.Counted = () => Pass(Moment.WhileRoomForItsAnswersIsMade);
        ((SilentDatabase)(object)database).Asked = () => Pass(Moment.WhileItIsHandedOver);

        Pass(Moment.BeforeItIsSent);
        write.Send(database);
        Pass(Moment.AfterItWasHandedOver);
        await write.Ended.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);

        // The outcome that the caller gets when its time is up, and the later outcome.
        Assert.Equal((expected, expected), ((await atThatMoment!).Status, (await write.OutcomeAsync(0)).Status));
        Assert.Equal(expected != PublishStatus.Failed, ((SilentDatabase)(object)database).IsUsed);

        void Pass(Moment passed)
        {
            if (passed == moment && atThatMoment is null)
            {
                deadline.Cancel();
                Assert.True(write.Ended.IsCompleted);
                atThatMoment = write.OutcomeAsync(0).AsTask();
                Assert.True(atThatMoment.IsCompleted);
            }
        }
    }

    /// <summary>Takes everything, and never answers.</summary>
    public class SilentDatabase : DispatchProxy
    {
        public Action Asked { get; set; } = () => { };

        public bool IsUsed { get; private set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            IsUsed = true;
            Asked();
            return new TaskCompletionSource<RedisValue>().Task;
        }
    }

    /// <summary>One entry, and says when it is counted: the write does so between its two steps.</summary>
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
