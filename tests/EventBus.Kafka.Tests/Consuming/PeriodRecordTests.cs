namespace EventBus.Kafka.Tests;

public sealed class PeriodRecordTests
{
    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(17, 3, true)]
    [InlineData(1L << 50, 63, false)]
    public void FromOffset_OfWhatWasStored_IsTheSame(long position, int ends, bool isOpen)
    {
        var record = new PeriodRecord(position, ends, isOpen);

        Assert.Equal(record, PeriodRecord.FromOffset(record.ToOffset()));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4_711)]
    public void FromOffset_OfAnythingElse_IsAProperEnd(long offset) => Assert.Equal(0, PeriodRecord.FromOffset(offset).UncleanEndsAt(0));

    /// <summary>A process that was suspended until it lost its partition has not ended.</summary>
    [Fact]
    public void UncleanEndsAt_TheOwnRecord_CountsNoFurtherEnd()
    {
        var own = new PeriodRecord(5, 2, IsOpen: true);

        Assert.Equal(2, own.UncleanEndsAt(5, own));
        Assert.Equal(0, own.UncleanEndsAt(6, own));
        Assert.Equal(4, new PeriodRecord(5, 3, IsOpen: true).UncleanEndsAt(5, own));
    }

    [Fact]
    public void UncleanEndsAt_TheSamePosition_CountsInARow()
    {
        Assert.Equal(0, new PeriodRecord(5, 2, IsOpen: false).UncleanEndsAt(5));
        Assert.Equal(1, new PeriodRecord(5, 0, IsOpen: true).UncleanEndsAt(5));
        Assert.Equal(3, new PeriodRecord(5, 2, IsOpen: true).UncleanEndsAt(5));
        Assert.Equal(1, new PeriodRecord(5, 2, IsOpen: true).UncleanEndsAt(6));
        Assert.Equal(63, PeriodRecord.FromOffset(new PeriodRecord(5, 1_000, IsOpen: true).ToOffset()).UncleanEnds);
    }
}
