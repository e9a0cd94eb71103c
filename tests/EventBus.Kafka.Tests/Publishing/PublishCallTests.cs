using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the outcomes of one publish call.</summary>
public sealed class PublishCallTests
{
    private static readonly InvalidOperationException Error = new("error");

    [Fact]
    public void Close_BeforeAndAfterTheSend_IsFailedAndInDoubt()
    {
        var call = Call("a", "b", "c");
        Assert.True(call.TryBeginSend(0));
        call.Report(0, PublishOutcome.Accepted);
        Assert.True(call.TryBeginSend(1));

        call.Close(() => Error, () => Error);

        Assert.Equal([PublishStatus.Accepted, PublishStatus.InDoubt, PublishStatus.Failed], Outcomes(call));
        Assert.False(call.TryBeginSend(2));
    }

    [Fact]
    public void Report_AfterTheClose_ChangesNothing()
    {
        var call = Call("a");
        call.TryBeginSend(0);
        call.Close(() => Error, () => Error);

        call.Report(0, PublishOutcome.Accepted);

        Assert.Equal([PublishStatus.InDoubt], Outcomes(call));
    }

    [Fact]
    public void IsDue_AfterAnEventOfTheKeyFailed_IsFalseAndTheEventFails()
    {
        var call = Call("a", "a", "b", null);
        call.TryBeginSend(0);
        call.Report(0, PublishOutcome.Failed(Error));

        Assert.Equal([false, true, true], [call.IsDue(1), call.IsDue(2), call.IsDue(3)]);
        call.Close(() => Error, () => Error);
        Assert.Equal(PublishStatus.Failed, Outcomes(call)[1]);
    }

    [Fact]
    public void UndoSend_AnEventThatTheClientDidNotTake_IsDueAgain()
    {
        var call = Call("a");
        call.TryBeginSend(0);

        call.UndoSend(0);

        Assert.True(call.IsDue(0));
        call.Close(() => Error, () => Error);
        Assert.Equal([PublishStatus.Failed], Outcomes(call));
    }

    [Fact]
    public void Done_WhenEachEventHasItsOutcome_IsCompleted()
    {
        var call = Call("a", "b");
        call.Report(0, PublishOutcome.Accepted);
        Assert.False(call.Done.IsCompleted);

        call.Report(1, PublishOutcome.Rejected(Error));

        Assert.True(call.Done.IsCompleted);
        Assert.True(call.IsClosed);
    }

    private static PublishCall Call(params string?[] keys)
    {
        var call = new PublishCall(keys.Length);
        for (var i = 0; i < keys.Length; i++)
        {
            call.Set(i, new KafkaRecord("t", keys[i], new Confluent.Kafka.Message<byte[]?, byte[]>(), 1));
        }

        return call;
    }

    private static PublishStatus[] Outcomes(PublishCall call)
    {
        Assert.True(call.Done.IsCompleted);
        var outcomes = new PublishOutcome[call.Count];
        call.CopyTo(outcomes);
        return [.. outcomes.Select(outcome => outcome.Status)];
    }
}
