namespace EventBus;

public sealed class NearNamesTests
{
    private static readonly string[] Names = [
        "ClaimAfter",
        "IdleGroupAfter",
        "KeyPrefix",
        "MaxLength",
        "MaxUnreadLength",
        "Trim",
        "TrimPeriod"
    ];

    [Theory]
    [InlineData("ClaimAfer", "ClaimAfter")]
    [InlineData("claimafter", "ClaimAfter")]
    [InlineData("KeyPerfix", "KeyPrefix")]
    [InlineData("Tirm", "Trim")]
    [InlineData("MaxLenght", "MaxLength")]
    [InlineData("TrimPeriods", "TrimPeriod")]
    public void Of_Misspelt_FindsTheNameFirst(string name, string expected) => Assert.Equal(expected, NearNames.Of(name, Names).First());

    [Theory]
    [InlineData("Password")]
    [InlineData("X")]
    [InlineData("")]
    public void Of_UnlikeAll_FindsNothing(string name) => Assert.Empty(NearNames.Of(name, Names));
}
