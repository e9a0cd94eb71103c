using EventBus.Stores;

namespace EventBus;

/// <summary>Tests which alerts an instance holds after it has sent them.</summary>
public sealed class HeldAlertsTests
{
    [Fact]
    public void Release_OfManyThatCannotBeMarked_LeavesRoomForOthers()
    {
        var held = new HeldAlerts(dispatcherCount: 1);
        for (var i = 0; i < 100_000 && held.HasRoom; i++)
        {
            var alert = Alert(i);
            Assert.True(held.TryAdd(alert));
            held.AddSent([alert]);
            held.Release(held.GetToMark(1), [alert]);
        }

        Assert.True(held.HasRoom);
    }

    [Fact]
    public void Release_OfOneThatCannotBeMarked_IsMarkedAgainAndNotSentAgain()
    {
        var held = new HeldAlerts(dispatcherCount: 1);
        held.TryAdd(Alert(1));
        held.AddSent([Alert(1)]);
        held.Release(held.GetToMark(1), [Alert(1)]);

        Assert.False(held.TryAdd(Alert(1)));

        Assert.Equal([Alert(1)], held.GetToMark(1));
    }

    private static PendingAlert Alert(int number) => new($"mail~{number}", number, "mail", "order.placed");
}
