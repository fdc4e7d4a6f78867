"""The words by which a text speaks of quality: which attribute, whether as there or not, and how strong.

Data only: a phrase is matched by the stems of its words, so "blurry" stands for blurred and blurring too; one that
starts with `=` is matched letter by letter. To teach a word, add it to its line.
"""

from __future__ import annotations

from typing import NamedTuple

from stages.claims.words import listed, phrases_of
from stages.wording.taxonomy import MOTION, SPATIAL

ABSENT, SLIGHT, MODERATE, NOTICEABLE, SEVERE = 1, 2, 4, 8, 16
"""States of an attribute as bits: a phrase stands for the set of those it can fairly mean."""
PRESENT = SLIGHT | MODERATE | NOTICEABLE | SEVERE
ANY_STATE = ABSENT | PRESENT

ANYTHING = "any distortion"
"""What "artifacts", "flaws" or "problems" speak of: whichever there is."""


class Sense(NamedTuple):
    """What a phrase speaks of.

    `covers` are the attributes that it names: said to be absent, all of them are. `near` are those that it may well be
    said of besides. `good` marks a phrase that praises: "steady" says that camera shake is absent.
    """

    covers: tuple[str, ...]
    near: tuple[str, ...] = ()
    good: bool = False


_BLURS = ("spatial blur", "motion blur")
_CODING = ("compression artifact", "block effect")
_UNEVEN = ("stuttering", "low frame rate")

_BAD: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    # attributes named, attributes that may be meant besides, phrases
    (
        ("compression artifact",),
        ("block effect", "quality switch"),
        "compression artifact; compression; codec artifact",
    ),
    (
        ("compression artifact",),
        ("block effect", "quality switch", "spatial blur"),
        """
            overcompressed; over compressed; low bitrate; low bit rate; starved of bits; bit starved; bits
            starved; bitrate starvation; starved bitrate; encoding artifact; coding artifact; encoder
            artifact; encoding damage; quantization; quantisation; mosquito noise; squeezed too hard;
            squeezed too far; ringing artifact; =ringing; compression damage; codec damage; encoding loss;
            compression loss; coding damage; smudged texture; smeared texture; mushy texture; coding mark;
            coding trace; coding scar; coding mess; coding junk; coding residue; coding grime; coding error;
            coding noise; coding blotch; coding smear; coding crud; coding wear; coding sludge; coding mush;
            coding trouble; coding problem; encoding mark; encoding trace; encoding scar; encoding mess;
            encoding junk; encoding residue; encoding grime; encoding error; encoding noise; encoding
            blotch; encoding smear; encoding crud; encoding wear; encoding sludge; encoding mush; encoding
            trouble; encoding problem; encoder mark; encoder trace; encoder scar; encoder mess; encoder
            junk; encoder residue; encoder grime; encoder error; encoder noise; encoder blotch; encoder
            smear; encoder crud; encoder wear; encoder sludge; encoder mush; encoder trouble; encoder
            problem; codec mark; codec trace; codec scar; codec mess; codec junk; codec residue; codec
            grime; codec error; codec noise; codec blotch; codec smear; codec crud; codec wear; codec
            sludge; codec mush; codec trouble; codec problem; compression mess; compression mush;
            compression smear; compression sludge; compression mark; compression noise; compressed to death;
            compressed to bits; heavily compressed; badly compressed; too compressed; =compressed; porridge;
            mangled by the codec; squashed bitrate; squeezed to death; starved encoder; starving encoder;
            encoder starving; encoder struggles; codec struggles; encoder gives up; bits run out; too few
            bits; short of bits; starved bit rate; lack of bits; bandwidth starved; low quality encode; bad
            encode; rough encode; cheap encode; crushed by the encoder; deep fried; potato quality;
            watercolor; watercolour; oil painting; =painterly; plastic skin; smushed; data starved; bits per
            second too low; jpeg mess; lossy; mushy; =waxy; plasticky; digital artifact; jpeg
            artifact; =jpegged
        """,
    ),
    (
        ("block effect",),
        ("compression artifact", "quality switch"),
        """
            blockiness; blocky; blocking; =blocks; block effect; block artifact; block border; block edge;
            block boundary; breaks up into squares; square borders; block pattern; macroblock; macro block;
            mosaic; mosaicing; mosaicking; pixelated; pixellated; pixelation; tile; tiled; checkerboard;
            =chunky; square patch; little squares; =squares; coarse squares; patchwork; square tiles; square
            fragments; lego; grid lines; squarish; minecraft; brick pattern; tiling; =tessellated; pixel
            blocks; big pixels; giant pixels; visible pixels; chunky pixels; square by square; breaks into
            blocks; falls apart into blocks; broken into blocks; mosaic pattern; mosaic tiles; little boxes;
            blockwise; block noise; squares pop; pixely; pixelly; block grid; block mess; pixelating;
            chequered; chequerboard; staircase blocks; chessboard; grid of squares; visible grid; block
            structure
        """,
    ),
    (("spatial blur",), (), "spatial blur; gaussian blur"),
    (
        ("spatial blur",),
        ("motion blur", "compression artifact", "quality switch", "low contrast"),
        """
            out of focus; loses focus; lost focus; not in focus; into focus; defocus; =unclear; =hazily;
            myopic; out of focusness; needs glasses; need glasses; eye test; without glasses; without my
            glasses; misty lens; fogged lens; smeared lens; never gets sharp; not sharp; never sharp; lacks
            sharpness; sharpness is missing; lacks bite; lacks crispness; lack of crispness; blobs; edges
            melt; melted edges; can't make out the edges; lens missed; focus sits; focus lies; focus on the
            wrong; wrong focus; focused on the wrong; out of the focal; unreadable; illegible; cannot be
            read; can't be read; unfocussed; defocussed; like through fog; greased lens; edges fall apart;
            edges are mush; nothing crisp; lost sharpness; loss of sharpness; softer than it should; far too
            soft; too soft; =softened; =softens; =softer; soft as butter; hard to read; resolves nothing; lacks
            definition; lack of
            definition; lacks detail; lack of detail; fine detail is gone; detail is missing; no fine
            detail; detail lost; blurring; edges dissolve; loses its edges; edges are lost; nothing is
            sharp; no edge is sharp; without a sharp edge; misfocus; soft focus; unfocused; focus error;
            focus loss; focus problem; missed focus; misses focus; focus hunting; =softness; soft edges;
            edges soft; soft picture; soft image; =soft; lack of focus; unsharp; =woolly; poorly focused;
            smudgy; smudge; vaseline; frosted glass; lose definition; lost definition; loss of definition;
            hazy focus; indistinct; =mush; not resolved; low sharpness; dreamy softness; bleary; focus
            drifts
        """,
    ),
    (("spatial blur",), ("motion blur", "compression artifact", "noise", "low contrast"), "fuzz; fuzzy; fuzziness"),
    (_BLURS, ("compression artifact", "quality switch"), "blur"),
    (("spatial blur", "compression artifact"), (), "compression blur"),
    (
        ("motion blur",),
        (),
        """
            motion blur; blurred motion; moving blur; slow shutter; motion smear; movement blur; motion
            trail; smeared motion; drags a tail; blurred by motion; motion blurred; blurs as; blurs when;
            blurs whenever; trails behind; leaves trails; leaves a trail; speed blur; smears when; smears
            as; movement smears; smeared by movement; smeared by motion; shutter too slow; shutter was too
            slow; shutter speed too low; long exposure smear; drags behind; dragged out; tail behind; comet
            tail; comet tails
        """,
    ),
    (
        ("motion blur",),
        ("spatial blur", "compression artifact"),
        "smear; streak; trail; =ghosting; ghost",
    ),
    (
        ("noise",),
        (),
        """
            noise; noisy; grain; grainy; speckle; sensor hiss; hiss; =gritty; grit; snow on the screen;
            snowy picture; tv snow; analog snow; ant colony; crawling ants; buzzing dots; buzzing pixels;
            dancing pixels; dancing specks; crawling pixels; swarm of dots; swarms of dots; colored specks;
            coloured specks; colored speckles; hot pixels; =iso; high iso; iso noise; gain too high; grubby
            grain; sandy picture; pixel noise; crawls with dots; alive with dots; seething;
            simmering dots; flecks; flecked; chroma noise; luma noise; noisiness; low light noise; sensor
            grain; dust of noise; grained; =iso; =peppered; dotted with specks; specks; salt and pepper;
            crawling dots; dancing dots; sandpaper; gain noise; crawling grain; swarming speckles;
            speckling; =dotted; mottled; mottling; graininess; fizz; fizzing; boiling dots; dots that dance;
            random dots; sensor noise; colored dots; color specks; crawling specks; swarming
        """,
    ),
    (
        ("overexposure",),
        ("high contrast", "low contrast"),
        """
            overexposed; over exposed; overexposure; over exposure; too bright; blown out; blown; burnt out;
            burned out; burn out; clipped highlights; highlight clipping; clipped to white; clipped whites;
            clip; bleached; glaring; glare; nuked; fried highlights; highlights are gone; highlights gone;
            gone white; gone to white; gone pure white; going white; going pure white; blows out; blow out;
            blowing out; blew out; blasted; overexposes; burns out; burned white; burnt white; brighter
            than; lost in white; lost to white; white blob; white void; flooded with light; too much
            exposure; exposed too high; exposed too bright; exposed too brightly; exposure too high; way too
            bright; hot highlights; stark white; paper white; chalk white; bright to the point; eye searing;
            whites clip; clipped highlight; clipped whites; overilluminated; sun baked; bright beyond; lit
            too brightly; lit too strongly; overlight; =bleaches; glows white; light too strong; exposure is
            too high; white with no detail; detail burnt; excessively bright; overly bright; =overlit; over
            lit; too much light; too light; white out; whiteout; lost highlights; highlights lost; highlight
            detail; loss of highlight; excess brightness; white area; =clips to white; whited out; turned to
            white; turns white; turns to white; flat white; nothing but white; white shape; exceedingly
            bright; featureless white; overbright; =blinding; =blindingly; dazzling; scorched; highlights
            burn; highlights are burnt; pure white; solid white; overly lit; excessive brightness; excess
            exposure; overexposed highlight; blowout; white patch
        """,
    ),
    (("overexposure", "low contrast", "desaturation"), ("high contrast",), "washed out; wash out; bleached out"),
    (
        ("underexposure",),
        ("low contrast", "high contrast"),
        """
            underexposed; under exposed; underexposure; under exposure; too dark; =dark; =darker; =darkness; dim; dimly
            lit; murky; gloomy; gloom; pitch dark; jet black; coal black; sea of black; mass of black; black
            mass; black blob; lost in the shadows; lost in shadow; hidden in shadow; hidden in the dark;
            vanishes into the dark; sunk in darkness; shrouded in darkness; tenebrous; cave dark; dark as a
            cave; needs light; lacks light; light is lacking; light is missing; exposure too low; exposure
            is too low; exposed too low; too little exposure; exposed too dark; shadows swallow; =blackness;
            too black; pure black; solid black; underlighted; black out; night vision needed; shadows block
            up; blocked up shadows; shadows are blocked; shadows crushed; can't see a thing; too shady;
            underlit; under lit; poorly lit; insufficient light; not enough light; lack of light; =shadowy;
            black silhouette; silhouette; nearly black; almost black; pitch black; swallowed by black; too
            dim; lost in darkness; sinks into darkness; starved for light; short on light; crushed shadows;
            crushed blacks; crushed black; crushed; lost shadows; insufficient exposure; poor lighting; bad
            lighting; low light; starved of light; light starved; swallowed by shadow; too little light;
            =darkened; =inky; in the dark; short of light; sunk in shadow; drowned in shadow; sink into
            black
        """,
    ),
    (
        ("low contrast",),
        ("desaturation", "underexposure", "overexposure"),
        """
            low contrast; lack of contrast; poor contrast; weak contrast; flat contrast; flat; hazy; haze;
            =foggy; little contrast; reduced contrast; lacks contrast; lacks punch; no punch; lacks depth of
            tone; contrast gone; gray veil; grey veil; veil over; veil of gray; washed gray; everything is
            gray on gray; low in contrast; contrast is lacking; contrast missing; contrast is missing;
            contrast is weak; contrast is flat; contrast lacks; contrast leaves; without contrast; no real
            black; no true black; no deep black; no real blacks; no true blacks; blacks are gray; blacks
            look gray; blacks are lifted; lifted blacks; tones lie close; tones sit close; foggy look; like
            fog; like through mist; pale blacks; soup; =soupy; contrast poor; tonally flat; dishwater; weak
            blacks; contrast deficit; under contrasted; insufficient contrast; contrast too low; contrast is
            low; =milky; veiled; flatness; flat look; =misty; compressed tonal range; narrow tonal range;
            contrast is weak; contrast lost; tonal range is compressed; dull whites; gray blacks; gray
            black; light and dark differ little; differ little; narrow range; tones run together; dark and
            light hardly differ; washed out blacks; contrastless; tonal range is narrow; thin contrast
        """,
    ),
    (
        ("high contrast",),
        ("overexposure", "underexposure", "oversaturation"),
        """
            high contrast; too much contrast; excessive contrast; contrast is too strong; contrast too
            strong; contrast is too hard; contrast too hard; contrast too harsh; contrast is extreme;
            extreme contrast; too contrasty; soot and chalk; chalk and soot; black or white; only black and
            white left; no midtones; no mid tones; midtones missing; midtones are missing; midtones gone;
            lacks midtones; hard tones; crunchy contrast; contrast slammed; contrast turned up; contrast is
            up; contrast dialed; contrast dialled; heavy contrast; punchy contrast; contrast is brutal;
            brutal contrast; tonal extremes; tones too hard; over contrasted; overcontrasted; harsh
            contrast; exaggerated contrast; strong contrast; contrast too high; contrast is high;
            =contrasty; over contrast; overly contrasted; stark contrast; contrast is harsh; contrast
            pushed; contrast boosted; contrast overdone; contrast cranked; hard contrast; harsh tones;
            contrast excess
        """,
    ),
    (
        ("oversaturation",),
        (),
        """
            oversaturated; over saturated; oversaturation; over saturation; too saturated; saturated beyond;
            saturated way; saturated too; way too saturated; highly saturated; heavily saturated; extremely
            saturated; very saturated; overly strong color; too strong color; colors too loud; too bold;
            overly bold; too gaudy; too bright in color; colors on steroids; saturation on steroids; day
            glo; dayglo; psychedelic; acid color; acid green; technicolor; eye popping; eye watering color;
            retina burning; bubblegum; colors pop too much; too punchy; overly rich; color is overdone;
            colors are overdone; too much color; too much red; too much green; too much blue; too much
            yellow; too red; too green; too blue; too orange; too yellow; overly colorful; overcolored;
            overcoloured; saturation slider; saturation turned; saturation maxed; saturation cranked;
            unnaturally bright color; unnaturally colorful; unnaturally saturated; comic book; glow in the
            dark; red bleeding; excess color; postcard color; color overdose; hyper saturated; saturation
            beyond; over colored; vivid to the point; vividly exaggerated; garish; gaudy; neon; lurid; too
            vivid; overly vivid; too colorful; excessive saturation; excess saturation; colors too strong;
            colors bleed; bleed color; red bleeds; reds bleed; exaggerated color; colors look exaggerated;
            colors are exaggerated; glow in neon; pushed colors; too intense; overdone color; color
            overload; artificially vivid; colors shout; shouting color; screaming color; loud color;
            excessively colorful; too rich; color bleeding; saturation too high; too much saturation;
            =overcooked; cartoonish; cartoonishly; overly saturated; unnaturally vivid; hypersaturated;
            unnaturally strong color; supersaturated; saturation pushed; saturation is high; high
            saturation; candy colored; radioactive; colors glow; saturation cranked; saturation overdone;
            fluorescent
        """,
    ),
    (
        ("desaturation",),
        ("low contrast", "overexposure"),
        """
            desaturated; desaturation; undersaturated; under saturated; pale; faded; loss of color; color
            loss; lost its color; lost their color; loses color; lose color; lost all color; losing color;
            lacks color; lack color; lacking color; lacking in color; short on color; short of color;
            starved of color; robbed of color; devoid of color; without color; void of color; no color left;
            color drained; color has drained; colors drained; colorlessness; pallor; ashen; ashy; stone
            gray; all gray; mostly gray; plain gray; gray on gray; gray as; everything gray; sepia; dusty
            color; tired color; low in color; low in saturation; saturation is low; saturation lost;
            saturation gone; saturation is missing; saturation missing; subdued color; dead color; colors
            are dead; like an old photo; old photograph; sun bleached; sun faded; washed away color; thin
            color; watered down; watery color; could use more color; could use some color; needs more color;
            needs color; more saturation; dishwater color; paler; palest; toned down color; colors barely;
            colors hardly; barely any color; scarcely any color; little saturation; low saturation;
            colorless; drained of color; color is gone; color has gone; black and white; colors back; hardly
            any color; little color; drained of all color; monochrome; bloodless; washed of color; sapped of
            color; color is missing; color missing; colors are missing; bled of color; without much color;
            sallow; grayish; dull; dull color; lack of color; muted; pallid; washed out color; anemic;
            anaemic; drab; too little color; lost color; poor color; weak color; colors are weak; drained;
            insipid; bleached color; lifeless color; lack of saturation; near monochrome; almost monochrome;
            gray cast; saturation too low; insufficient saturation; colors are dull; lackluster; almost
            gray; nearly gray
        """,
    ),
    (("desaturation", "oversaturation"), (), "unnatural color; unnatural saturation; color distortion; color problem"),
    (
        ("stuttering",),
        ("low frame rate", "camera shake"),
        """
            stuttering; stutter; freeze; frozen; freezing up; froze; hang up; hangs up; gets stuck; got
            stuck; fits and starts; =hesitates; hesitation; stop motion freeze; pauses for; comes to a stop;
            comes to rest; grinds; ground to a halt; locked up; buffer; buffers; spinning wheel; keeps
            stopping; stops again and again; skips a beat; skips ahead; skip; skipping; leaps forward; leaps
            ahead; jumps in time; time jump; jumped forward; frames go missing; frames are missing; frames
            missing; frames are dropped; frames were dropped; frames dropped; frames skipped; drop frames;
            lost a few frames; missing a few frames; becomes a still; turns into a still; like a photo;
            paralyzed; paralysed; the picture sticks; sputter; sputters; gets interrupted; breaks off; cuts
            out; motion freeze; playback hangs; playback freeze; glitchy playback; stammer; stammers;
            studder; lags behind; time stands still; freezing; stall; stalling; lag; laggy; hiccup; hitch;
            dropped frames; frame drop; drops frames; frame loss; skipped frames; frame skipping; =skips;
            stands still; stand still; standstill; picture holds still; image holds still; video holds still; goes
            still; grinds to a halt; stands frozen;
            seizes up; stops moving; frame stays on one frame; repeats itself; stops for; interruption;
            interrupt; comes to a halt; stuck; =pauses; =pause; =buffering; rebuffering; playback stops;
            video stops; picture stops; movement stops; interrupted playback; stop and go; stop start; stops
            and starts; locks up; sticks; jumps ahead; jumps forward; missing frames; lost frames; repeated
            frame; duplicated frame; frames repeat; playback breaks; playback halts; hold on a single frame;
            stops dead; skipping frames; motion stops; motion halts; playback pauses; halting; playback
            interruption; holds on one frame
        """,
    ),
    (
        _UNEVEN,
        ("camera shake",),
        """
            =choppy; choppiness; judder; juddery; uneven motion; not smooth; unsmooth; staccato; broken
            motion; motion breaks; not flowing; doesn't flow; does not flow; not play smoothly; doesn't play
            smoothly; disjointed; =bitty; unfluid; not fluid; fluidity; motion is rough; rough motion;
            ragged motion; uneven playback; unsteady playback; irregular motion; motion is uneven; clunky;
            robotic; lack of fluency; not fluent; unfluent; =discontinuous
        """,
    ),
    ((*_UNEVEN, "camera shake"), (), "jerky; jerk; jerkiness; =jumpy; lurch"),
    (
        ("low frame rate",),
        ("stuttering",),
        """
            low frame rate; slideshow; slide show; low fps; powerpoint; power point; too few pictures; few
            pictures per second; few frames; short of frames; short on frames; starved of frames; not enough
            frames; lack of frames; lacks frames; missing frames per second; frame starved; frame count too
            low; series of photos; sequence of photos; row of photos; photo sequence; one picture after
            another; claymation; puppet animation; thumb cinema; strobe like motion; frame by frame; picture
            by picture; in steps; =steppy; gaps between frames; gap between frames; frames per second;
            sparse in frames; ten frames; five frames; eight frames; motion resolution; animatic; few frames
            per second; insufficient frame rate; each picture stays; every picture stays; missing in-between
            frames; frame rate too low; frame rate is low; reduced frame rate; poor frame rate; too few
            frames; frame rate drop; stop motion; flip book; flipbook; low temporal resolution; strobing
            motion; visible steps; moves in steps; motion in steps; framerate; frame rate; like a slide;
            series of stills; succession of stills; sparse frames; low framerate; stepwise
        """,
    ),
    (
        ("camera shake",),
        (),
        """
            camera shake; swinging camera; earthquake; shaky cam; shakycam; =shaky hands; unsteady hands;
            trembling hands; nervous hands; hand shake; judders about; jerks around; bounces
            around; jumps around; jumps about; never still; never keeps still; won't keep still; doesn't
            keep still; does not keep still; not held still; can't hold still; couldn't hold still; does not
            hold still; doesn't hold still; jiggle; jiggles; jiggly; jiggling; wiggle; wiggles;
            wiggly; rattle; rattling; rattles; quiver; quivers; drunken; on a boat; rollercoaster; roller
            coaster; motion sickness; nausea; nauseating; lurches; swings about; swing from side to
            side; swaying frame; moves up and down; rocks back and forth; side to side movement; frame
            drifts; framing drifts; handheld wobble; =bob; bobs; bobbing; =rocky; nervous camera;
            trembles; trembly; trembling; wobbling; =jolty; bumps; bumpiness; =bumping;
            unsettled; never settles; does not settle; doesn't settle; unanchored; hopping about; twitch;
            twitchy; twitches; wild swinging; camera swings; hand tremor; restless framing; rolls and
            pitches; camera wanders; shake; shaking; unsteady; unstable; wobble; wobbly; jitter; jittery;
            handheld tremor; tremor; tremble; sway; =bouncy; bounce; =bounces; camera motion is erratic;
            vibration; vibrate; =bumpy; jolt; jostle; camera jumps; lack of stabilization; unstabilized;
            unstabilised; lurching; swaying; =rocking; camera moves about; not stable; quake; shudder;
            restless camera; seasick; wavering camera; instability
        """,
    ),
    (("camera shake",), ("flicker", "stuttering"), "restless; restlessness"),
    (
        ("flicker",),
        (),
        """
            flicker; flickering; flash; shimmer; shimmers; shimmering; blinking; twinkle; twinkles;
            twinkling; scintillate; pulsation; pulsating; throb; throbs; throbbing; light pulses; light
            dances; on and off; =brighter and darker; =darker and brighter; =lighter and darker; brightens and
            darkens; dims and brightens; brightness pumps; pumping
            brightness; pumps; brightness hops; brightness hunts; breathing light; light breathes; light
            wavers; wavering light; unsteady light; unstable light; unstable brightness; uneven light;
            restless light; nervous light; strobes; strobe light; strobe like; stroboscopic; candle light
            wavers; changing brightness; changes in brightness; change in brightness; brightness change;
            varying brightness; variation in brightness; fluctuation in brightness; light fluctuation;
            exposure jumps; exposure hunts; exposure wavers; exposure keeps changing; exposure changes; hue
            shifts; hue changes; hues wander; color flicker; color pulsation; changing color; changes color;
            keeps changing color; color changes; changing hue; tint wanders; white balance wanders; white
            balance hunts; white balance drifts; white balance changes; white balance swings; white balance
            keeps; white balance fluctuates; flashes; stroby; glimmer; glimmering; fluttering; quivering
            light; luminance pump; luma; flashing; strobe; strobing; pulsate; pulse; pulsing; brightness
            changes; brightness fluctuation; fluctuating brightness; luminance fluctuation; brightness
            oscillates; brightness varies; brightness jumps; brightness swings; exposure pumping; exposure
            fluctuation; light fluctuation; blinking; blinks; tint swings; swinging tint; shifting tint;
            tint shifts; hue swings; hue shifts; warm and cold; color temperature; tint changes; brightens
            and darkens; brighter and darker; light and dark alternate; dims and brightens; brightness
            keeps; keeps changing brightness; light pulses; lights pulse; picture pulses; brightness swing;
            brightness sway; bright and dark by turns; goes bright and dark; color swings; white balance
            swings; white balance drift; brightness pumping; =pumping; unstable brightness; inconsistent
            brightness; throbs; throbbing; brightness fluctuates; light level fluctuates; brightness wavers;
            lamps pulse; colors swing; fluctuating light; unstable lighting; light fluctuates; fluctuate;
            fluctuation
        """,
    ),
    (
        ("quality switch",),
        ("compression artifact", "spatial blur", "block effect"),
        """
            quality switch; coarser and softer; coarser quality; coarse and soft; worse version; lower
            version; stream drops; stream worsens; stream gets worse; turns coarse; becomes coarse;
            downshift; steps down in quality; quality change; quality drop; quality drops; resolution
            switch; resolution drop; bitrate drop; bitrate switch; resolution change; bitrate change; drop
            in quality; drop in resolution; sudden loss of quality; quality dips; quality falls; dip in
            quality; switches quality; adaptive streaming; lower rendition; change of quality; quality drop;
            quality drops; quality dip; quality collapse; quality collapses; quality slump; quality plunge;
            quality loss; quality change; quality changes; quality jumps; quality jump; quality swings;
            quality varies; quality plummets; quality goes down; quality goes up and down; quality step;
            loses quality; worsens; stream collapses; stream falls apart; stream crumbles; goes to pieces;
            stream breaks down; stream degrades; stream breaks up; stream drops; stream dips; stream
            switches; bit rate drop; bitrate drop; bitrate drops; bitrate collapses; bitrate dips; bitrate
            falls; lower bitrate; sudden degradation; sudden drop; degrades suddenly; turns to mush for;
            falls to a lower; sudden quality; network hiccup; bandwidth drop; resolution switch; resolution
            collapse; downshift; downgrade; downgraded; deterioration; nosedive; step down in quality;
            quality breaks; quality tanks; resolution loss; resolution jumps; rendition change; temporary
            degradation; quality fluctuation; resolution falls; resolution drops; drops to a lower
            resolution; quality level changes; switch of quality; switches to a lower
        """,
    ),
    (
        ("interlacing",),
        (),
        """
            interlaced; comb pattern; shredded; =combed; comb like; =zippered; =sliced; sliced into
            lines; striped edges; =striping; ragged edges; ragged outlines; frayed; fraying; frayed edges;
            lines tear; lines apart; line structure; line pattern; every other line; odd and even lines; two
            fields; field order; interleaved; venetian; line flicker; thin lines; split lines; torn apart;
            =laddering; horizontal slits; fringed edges; zigzag edges; feathered edges; interlacing;
            interlace artifact; combing; =comb; =combs; comb teeth; torn edges; =tearing; =torn; scan lines;
            scanlines; field artifact; jagged lines; line by line; deinterlacing; horizontal lines;
            serrated; saw tooth; sawtooth; comb artifact; alternate lines; split into lines
        """,
    ),
    (
        ("banding",),
        ("compression artifact",),
        "=banding; color bands; =posterization; posterisation; =contouring; false contour",
    ),
    (("aliasing",), ("interlacing",), "=aliasing; moire; jaggies; staircase edges; staircasing; jagged edges"),
    (("vignetting",), ("underexposure",), "vignetting; vignette; darkened corners; dark corners"),
    (
        ("chromatic aberration",),
        (),
        "chromatic aberration; color fringe; color fringing; purple fringe; purple fringing",
    ),
    (("lens flare",), ("overexposure",), "lens flare; sun flare"),
    (("lens distortion",), (), "lens distortion; barrel distortion; fisheye; pincushion"),
    (("rolling shutter",), ("camera shake",), "rolling shutter; jello; skewed verticals"),
    (("watermark",), (), "watermark"),
    (("letterboxing",), (), "letterbox; letterboxing; pillarbox; black bars; black borders"),
    (
        ("color cast",),
        (),
        "color cast; color tint; green tint; blue tint; yellow tint; red tint; color shift; green cast; green "
        "tinge; green hue; green haze; green veil; blue cast; blue tinge; blue hue; blue haze; blue veil; "
        "yellow cast; yellow tinge; yellow hue; yellow haze; yellow veil; red cast; red tinge; red hue; red "
        "haze; red veil; magenta cast; magenta tinge; magenta hue; magenta haze; magenta veil; purple cast; "
        "purple tinge; purple hue; purple haze; purple veil; orange cast; orange tinge; orange hue; orange "
        "haze; orange veil; pink cast; pink tinge; pink hue; pink haze; pink veil; cyan cast; cyan tinge; cyan "
        "hue; cyan haze; cyan veil; greenish cast; greenish tinge; greenish hue; greenish haze; greenish veil; "
        "bluish cast; bluish tinge; bluish hue; bluish haze; bluish veil; yellowish cast; yellowish tinge; "
        "yellowish hue; yellowish haze; yellowish veil; reddish cast; reddish tinge; reddish hue; reddish haze; "
        "reddish veil; pinkish cast; pinkish tinge; pinkish hue; pinkish haze; pinkish veil; warm cast; warm "
        "tinge; warm hue; warm haze; warm veil; cold cast; cold tinge; cold hue; cold haze; cold veil; "
        "greenish; bluish; reddish; yellowish; pinkish; purplish; sickly green; tinted green; tinted blue; "
        "tinted in blue; tinted in green; drenched in green; everything is green; looks green; looks too green; "
        "color tone; wrong white balance; white balance is off; white balance is wrong; white balance off; too "
        "warm; too cold; orange tint; pink tint; magenta tint; purple tint; cyan tint; turned green; turned "
        "blue; turned purple; jaundiced",
    ),
    (
        ("lens dirt",),
        ("spatial blur",),
        "dirty lens; lens dirt; lens smudge; fingerprint; dust on the lens; water drops on the lens",
    ),
    (
        ("low resolution",),
        ("spatial blur", "compression artifact", "quality switch", "block effect"),
        "low resolution; low res; upscaling; upscaled",
    ),
    (("audio",), (), "audio distortion; crackling sound; out of sync; audio sync; muffled sound"),
    (("screen tearing",), ("interlacing",), "screen tearing"),
    (
        (ANYTHING,),
        (),
        """
            artifact; distortion; flaw; defect; degradation; quality problem; quality issue; impairment; visible
            problem; technical problem; technical fault; blemish; imperfection; glitch
        """,
    ),
)

_GOOD: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        _BLURS,
        """
            sharp; sharpness; crisp; in focus; well focused; clear edges; tack sharp; pin sharp; razor sharp;
            crisply; clear cut
        """,
    ),
    (("noise",), "grain free; noise free; noiseless"),
    (
        ("spatial blur",),
        """
        good focus; focus is accurate; focus is spot on; perfect focus; focus is good; well defined
    """,
    ),
    (
        ("overexposure", "underexposure"),
        """
            well exposed; properly exposed; exposure is correct; balanced exposure; exposure is fine; correctly
            exposed; exposure is balanced; perfectly exposed; good exposure; exposure looks right; exposure is
            right; correct exposure; exposure is good; exposure stays correct
        """,
    ),
    (("underexposure",), "well lit; brightly lit; bright enough; amply lit"),
    (
        ("overexposure",),
        """
            highlights hold; highlights keep; highlights retain; highlight detail is kept; highlights intact
        """,
    ),
    (
        ("camera shake",),
        """
            steady; stable; steadiness; hold still; keep still; stay still; stays put; holds steady; sits still;
            camera is calm; camera stays calm; calm camera; static camera; static shot; calm framing; rock solid;
            well stabilized; locked off; tripod steady; stabilized; camera stands still; camera stands firm;
            camera does not move; camera doesn't move; camera is at rest;
            smooth camera; camera is still; rock steady
        """,
    ),
    (
        _UNEVEN,
        """
            smooth; smoothly; silky; silkily; fluid; fluidly; fluent; fluently; uninterrupted;
            without interruption; seamless;
            seamlessly; motion is even; frame rate is high; frame rate is fine; frame rate is good;
            frame rate is sufficient; frame rate is right; frame rate is ok; full frame rate; good frame rate;
            frame rate is smooth;
            smooth frame rate;
            sufficient frame rate; frame rate holds; no frames missing
        """,
    ),
    (
        ("oversaturation", "desaturation"),
        """
            natural color; colors are natural; colors look natural; faithful color; accurate color; true to life
            color; colors are accurate; natural saturation; colors are faithful; color is natural; well
            saturated; colors are true to life; true to life; restrained
        """,
    ),
    (("desaturation",), "vivid; vibrant; rich color; lively color; saturated"),
    (
        ("flicker",),
        """
            constant brightness; stable brightness; steady brightness; even brightness; brightness is constant;
            consistent brightness; brightness is stable; brightness is steady; brightness stays constant;
            brightness holds; brightness remains constant; brightness stays even; steady light; stable light
        """,
    ),
    (
        ("low contrast", "high contrast"),
        """
            contrast is fine; good contrast; balanced contrast; contrast is balanced; contrast is good; natural
            contrast; well balanced contrast
        """,
    ),
    (
        (ANYTHING,),
        """
            flawless; pristine; immaculate; artifact free; perfectly clean; clean picture; clean image;
            spotless; distortion free; trouble free; impeccable; clean throughout; faultless
        """,
    ),
)

_NOTHING_SAID = """
        sharp contrast; sharp change; sharply changes; sharp increase; sharp drop; sharp decline; sharp drop in;
        =blown away; soft light; soft music; dark room; dark clothes; dark suit; dark hair; dark jacket; dark
        dress; dark shirt; dark scene; dark background; dark street; dark stage; dark hall; dark night; dark
        corner of the room; after dark; dark coat; dark wall; dark parts; dark part; dark areas; dark area; dark
        regions; dark region; darker parts; darker areas; darker regions; bright parts; dark tone; dark sky;
        dark water; dark trees; dark forest; dark surface; market stall; food stall; vegetable stall; fruit
        stall; sand castle; sandy beach; sand dune; on the sand; the sand; snow covered; in the snow; the snow;
        snowy mountain; snowy street; shaking hands; shake hands; handshake; shakes his head; shakes her head;
        shaking his head; shaking her head; signal to noise; flash light; flashlight; lightning flash; camera
        flash; traffic light; background noise level; flat area; flat areas; flat surface; flat region; flat
        wall; flat roof; flat screen; city blocks; city block; apartment block; building blocks; tower block;
        ice blocks; walking trail; hiking trail; forest trail; mountain trail; ski trail; trail runner; trail
        running; audience is still; noise reduction; denoise; denoising; noise floor; motion compensation; frame
        rate conversion; compression ratio; compression settings; compression standard; compression level;
        compression rate; file compression; deblocking; deblocking filter; focus on; focuses on; focused on;
        focal; image stabilization; optical stabilization; stabilizer; stabilization; electronic stabilization;
        video stabilization; target frame rate; frame rate of the display; frame rate of the camera; higher
        frame rate; the frame rate of; match the frame rate; constant frame rate; with the frame rate;
        fluorescent light; fluorescent lamp; fluorescent tube; fluorescent lighting; neon light; neon sign; neon
        tube; neon lamp; neon lights; neon signs; light pulse; pale skin; pale sky; pale dress; pale blue; pale
        green; pale wall; dull moment; dust trail; vapor trail; fast motion; fast movement; torn poster; torn
        paper; torn shirt; mosaic floor; mosaic wall; tiled floor; tiled wall; tile floor; roof tiles; tile
        roof; rocking chair; rocking horse; swaying trees; trees sway; swaying grass; sways in the wind; in the
        fog; fog machine; foggy morning; misty morning; the fog; the mist; glitch art; hang on; hangs from;
        hanging; hung; compressed air; pauses to; stuck in traffic; traffic jam; saturated market; viewing
        stable; horse stable; steam trail; smoke trail; paper clip; this clip; the clip; video clip; short clip;
        entire clip; whole clip; a clip; of clip; clip's; clip begins; clip starts; clip ends; full clip; that
        clip; =clip; =clips;
        can freeze; to freeze; could freeze; freeze the motion; freeze motion; freezes motion; freezes the motion;
        the stalls are; the stalls become; the stalls look; the stalls of; film grain stock; wood grain;
        grainy texture; texture of; buffering of; player
        buffer; stop the; stops the; smooth skin; smooth surface; smooth wall; smooth gradients; smooth area;
        smooth areas; smooth regions; smooth sky; stable connection; stable network; stable light source; steady
        light source; light pulses of; dust specks on
    """
"""Phrases that hold such a word and say nothing of quality."""

ATTRIBUTES: dict[str, Sense | None] = {}
for _covers, _near, _phrases in _BAD:
    ATTRIBUTES.update({phrase: Sense(_covers, _near) for phrase in phrases_of(_phrases)})
for _name in (*SPATIAL, *MOTION):
    ATTRIBUTES.setdefault(_name, Sense((_name,)))
for _covers, _phrases in _GOOD:
    ATTRIBUTES.update({phrase: Sense(_covers, (), True) for phrase in phrases_of(_phrases)})
ATTRIBUTES.update(dict.fromkeys(phrases_of(_NOTHING_SAID)))
"""What each phrase speaks of; None for one that says nothing of quality."""

_DEGREES: tuple[tuple[int, str], ...] = (
    (
        SLIGHT,
        """
            slight; mild; minor; =light; =lighter; weak; faint; subtle; tiny; small; minimal; little; low
            level; =barely; =hardly; barely visible; barely noticeable; barely perceptible; hardly noticeable;
            hardly visible; hardly perceptible; just visible; scarcely visible; scarcely; trivial; marginal;
            a bit; a little; a touch; tiny bit; teeny bit; teeny; wee bit; wee; smidgen; smidge; tad; shade
            too; trifle; fraction; sliver; speck of; pinch; dash of; modicum; suggestion of; suspicion of;
            ghost of; lick of; shred; iota; dab of; drop of; barely any trouble; feather light;
            featherlight; scarcely aware; hardly aware; barely feel; hardly feel; scarcely see; scarcely
            feel; hard to notice; hard to spot; hard to detect; hard to see; difficult to see; difficult to
            notice; difficult to spot; you have to look for; have to look hard; have to search; had to look
            twice; look twice; needs a magnifying glass; magnifying glass; with a lens; with a loupe; never
            bothers; doesn't bother; does not bother; never disturbs; doesn't disturb; doesn't hurt; does
            not hurt; barely hurts; hardly hurts; barely matters; hardly matters; doesn't matter; no big
            deal; not a big deal; no deal breaker; not a deal breaker; small beer; nitpick; nitpicking;
            quibble; nothing much; not much; not a lot; nothing more than; hardly a problem; barely a
            problem; hardly an issue; barely an issue; not really a problem; nothing to write home about; not
            to speak of; you'd overlook it; you'd miss it; you would miss it; would miss
            it; would overlook it; could overlook; wouldn't notice; would not notice; won't notice; will not
            notice; may not notice; might not notice; never notice; never spot; don't notice; doesn't show;
            goes unseen; passes unnoticed; goes unnoticed; unnoticed; forgivable; excusable; benign;
            cosmetic; trifling; puny; petite; minute; infinitesimal; microscopic; homeopathic; soft hint;
            =lightest; faintest; slimmest; gentle dose; small dose; low dose;
            hardly a whisper; breath of; whiff of; soupcon; barely registers; hardly registers; scarcely
            registers; small scale; to a small extent; hardly counts; a mere; mere; nothing to complain;
            on the light side; on the gentle side; on the weak side; a hint; a
            trace; a whisper; trace; hint of; trace amount; a little bit; somewhat
            slight; very slight; very mild; light dusting; only just; small extent; lesser extent; small
            degree; little extent; minor extent; just perceptible; whisper of; touch of; barely there;
            hardly tell; hardly there; can hardly be; can barely be; could hardly; so little;
            only just visible; barely see; hardly see; barely make out; hardly make out; nobody would mind;
            nobody would notice; few would notice; scarcely noticeable; scarcely perceptible; nothing to
            worry about; hardly disturbs; hardly bothers; barely disturbs; does not disturb; trained eye;
            sharp eye; on close inspection; only if one looks; look closely; looking closely; harmless;
            inconspicuous; hardly worth; barely worth; soft touch; slightest; lightly; easy to overlook;
            easily overlooked; easy to miss; easily missed; almost invisible; nearly invisible; fine;
            delicate; gentle; modest; unobtrusive; feeble; superficial; scant; mildest; on
            the mild side; low intensity; low degree; low strength; minuscule; would go unnoticed; go
            unnoticed; weakly; tinge; dusting of
        """,
    ),
    (
        ABSENT | SLIGHT,
        """
            negligible; insignificant; not worth mentioning; none worth naming; none worth mentioning;
            nothing worth mentioning; none to speak of; near zero; nearly nothing; almost nothing;
            nigh on invisible; almost imperceptible; next to invisible; no more than a trace;
            almost non existent; almost nonexistent; nearly non existent; almost absent; almost none;
            imperceptible; practically absent; practically none; virtually none; close to none; next to nothing;
            undetectable; nearly absent; virtually absent; practically invisible; virtually invisible
        """,
    ),
    (
        MODERATE,
        """
            moderate; medium; =middling; intermediate; average degree; medium strength; middle of the scale;
            in between; halfway up the scale; mid level; neither slight nor severe; neither mild nor severe;
            middle of the range; of middling strength; medium degree; so so; to a medium degree; to a medium
            extent; medium extent; to a fair degree; half way up the scale; mid scale; mid range; average
            amount; in the middle of the scale; middle ground; neither light nor heavy; neither small nor
            large; neither weak nor severe; neither minor nor major; not slight but not severe; average
            strength; average extent; middle strength; somewhere in the middle; medium level; neither weak
            nor strong; neither subtle nor severe; neither faint nor overwhelming
        """,
    ),
    (
        MODERATE | NOTICEABLE,
        """
            fairly strong; rather strong; fairly noticeable; fairly visible; quite noticeable; fair amount;
            quite visible; appreciable; tangible; fairly clear; quite a bit; more than slight; more than a
            little; more than a bit; more than a touch; more than a hint; hardly a trifle; no trifle; not
            just a little; not just a bit; not only a little; not insignificant; not negligible; not
            inconsiderable; not small; no mean; noteworthy; palpable; more than mild; fairly pronounced;
            somewhat strong; reasonably strong; sizeable
        """,
    ),
    (
        NOTICEABLE,
        """
            noticeable; moderately severe; relatively severe; fairly severe; rather severe; quite severe; more
            than moderate; moderately strong; somewhat severe
        """,
    ),
    (
        NOTICEABLE | SEVERE,
        """
            strong; heavy; obvious; pronounced; marked; intense; considerable; significant; substantial;
            serious; prominent; conspicuous; bad; badly; distracting; striking; high degree; high level;
            clearly noticeable; very noticeable; clearly visible; highly visible; highly noticeable; hard to
            miss; hard to ignore; impossible to miss; glaringly; unmistakable; very visible; strongly; a
            lot; a lot of; large extent; great extent; lots of; much; a great deal; high; disturbing; easy
            to see; easily seen; easy to spot; easily noticed; big issue; big problem; major issue; major
            problem; serious issue; serious problem; main issue; big concern; serious concern; real problem;
            hard to follow; at first glance; at a glance; immediately visible; strikes the eye; coarse;
            greatly; deeply; gets in the way; impossible to overlook; hard to overlook; large; big; readily
            apparent; cannot be missed; major; disruptive; can't be missed; impossible to ignore; catches
            the eye; draws the eye; unmissable; intrusive; rough; massive amount; stands out; jumps out;
            giant; disaster; disastrous; mess; big mess; total mess; complete mess; utter mess; nightmare;
            huge; hugely; vast; vastly; colossal; gigantic; immense; immensely; mighty; tons of; loads of;
            heaps of; masses of; plenty; plenty of; oodles of; a ton of; a load of; a mountain of; thick;
            dense; densely; hefty; nasty; ugly; loud and clear; like mad; like crazy; like hell; big time;
            by a long way; by far too; far too; way too; much too; a good deal; great deal; to a great
            degree; can't miss it; cannot miss it; can't overlook; cannot overlook; hard to overlook;
            impossible to overlook; sticks out; sore thumb; hits you; jumps at you; leaps out; screams at
            you; eyesore; in your face; kills; spoils; sorely; =sharply; profoundly; visibly bad; irritating;
            irksome; jarring; glaringly obvious; crass; vicious; aggressive; rude; harsh; hurts the eye;
            hurts the eyes; hurts your eyes; hurts my eyes; painful; gross; outrageous; insane; insanely;
            crazy; ridiculous; ridiculously; absurd; absurdly; hellish; infernal; mad; madly; furious;
            furiously; ferocious; wildly; heavyweight; to a high degree; to a large degree; to a great
            extent; worrying; alarming; alarmingly; dramatic; dramatically; very strong; very obvious; very
            pronounced; strongest
        """,
    ),
    (
        SEVERE,
        """
            severe; extreme; very severe; extremely severe; drastic; overwhelming; terrible; awful;
            horrible; massive; ruinous; drowns in; drowned in; drown; swamped; smothered; grotesque;
            painfully; blatant; glaring; hideous; nothing can be recognized; nothing can be recognised;
            nothing is recognizable; cannot be recognized; unrecognizable; beyond repair; =completely; can't see a
            thing; cannot see a thing; can't see anything; cannot see anything; =fully; =purely; =absolutely;
            =utterly; =wildly; =wild; swallowed; obliterated; obliterates; wipes out; wiped out;
            exceedingly; shocking; excruciating; monstrous; enormous; tremendous; buried; buries; complete
            loss; =totally; =wholly; entirely gone; almost entirely; unbearable; intolerable; devastating;
            dreadful; crippling; unwatchable; atrocious; brutal; very bad; worst degree; fierce; violent;
            ruins; ruined; ruin; wrecks; wrecked; destroys; destroyed; destroy; relentless; excessive
            degree; very heavy; extremely strong; extremely heavy; maximum; as strong as it gets; as bad as
            it gets; strongest degree; top of the scale; dominates the picture; catastrophic; harsh degree;
            off the scale; top of the ladder; highest degree; acute; grave; gravely; profound; unusable;
            rampant; hopelessly; hopeless; beyond recognition; dire; every last drop; every bit of it; to a
            shocking degree; to an extreme; beyond saving; beyond all hope; hopeless case; total loss;
            completely gone; all but gone; nothing left; none left; hardly any left; barely any left;
            scarcely any left; hardly anything left; nothing remains; hardly anything remains; nothing
            survives; can't make out anything; cannot make out anything; can't make anything out; can't
            recognize; cannot recognize; cannot be made out; can't be made out; can no longer be; not a
            thing can be seen; nothing can be seen; nothing is visible; cannot be told apart; can't tell
            them apart; reduced to mush; to death; to bits; to pieces; to shreds; disfigures; disfigured;
            demolishes; demolished; kills the; annihilates; annihilated; erases; erased; swallows
            everything; swallows; engulfs; engulfed; drenched; flooded; overrun; overwhelms; overpowers;
            overpowering; apocalyptic; calamitous; abominable; appalling; abysmal; insufferable; off the
            charts; through the roof; sky high; extreme dose; as bad as can be; as bad as it can be; as
            heavy as it gets; could hardly be worse; couldn't be worse; could not be worse; can't get worse;
            cannot get worse; worst possible; worst kind; the worst i; full blown; full force; full
            strength; outright; downright; cruel; merciless; savage; savagely; smothers; suffocates;
            suffocated; ravaged; ravages; mutilated; butchered; all of it is gone; all its color; entirely
            lost; wholly lost; crushing; rife
        """,
    ),
    (
        SLIGHT | MODERATE,
        """
            tolerable; not too bad; fairly mild; fairly slight; fairly weak; limited; slight to moderate; mild
            to moderate; some degree; a certain degree; acceptable degree; moderately mild; bearable
        """,
    ),
    (
        MODERATE | NOTICEABLE | SEVERE,
        """
            visible effect; plain to see; plainly visible; easily visible; clear; clearly; plain; plainly;
            evident; apparent; annoying; bothersome; troublesome; hard to watch; far from slight; far from
            subtle; far from mild; far from minor; anything but subtle; anything but slight; anything but mild;
            anything but minor; no small; nothing subtle about; hardly subtle; hardly slight; hardly mild;
            hardly minor; unpleasant; not subtle
        """,
    ),
    (
        SLIGHT | MODERATE | NOTICEABLE,
        """
            far from severe; anything but severe; hardly severe; nowhere near severe; far from extreme;
            hardly extreme; nothing dramatic; nothing wild; nothing too wild; nothing that wild; not too
            wild; not so wild; not that wild; not very wild; not terribly wild; not all that wild; nothing
            crazy; nothing too crazy; nothing that crazy; not too crazy; not so crazy; not that crazy; not
            very crazy; not terribly crazy; not all that crazy; nothing major; nothing too major; nothing
            that major; not too major; not so major; not that major; not very major; not terribly major; not
            all that major; nothing dramatic; nothing too dramatic; nothing that dramatic; not too dramatic;
            not so dramatic; not that dramatic; not very dramatic; not terribly dramatic; not all that
            dramatic; nothing serious; nothing too serious; nothing that serious; not too serious; not so
            serious; not that serious; not very serious; not terribly serious; not all that serious; nothing
            terrible; nothing too terrible; nothing that terrible; not too terrible; not so terrible; not
            that terrible; not very terrible; not terribly terrible; not all that terrible; nothing awful;
            nothing too awful; nothing that awful; not too awful; not so awful; not that awful; not very
            awful; not terribly awful; not all that awful; nothing extreme; nothing too extreme; nothing
            that extreme; not too extreme; not so extreme; not that extreme; not very extreme; not terribly
            extreme; not all that extreme; nothing massive; nothing too massive; nothing that massive; not
            too massive; not so massive; not that massive; not very massive; not terribly massive; not all
            that massive; nothing huge; nothing too huge; nothing that huge; not too huge; not so huge; not
            that huge; not very huge; not terribly huge; not all that huge; nothing drastic; nothing too
            drastic; nothing that drastic; not too drastic; not so drastic; not that drastic; not very
            drastic; not terribly drastic; not all that drastic; nothing horrible; nothing too horrible;
            nothing that horrible; not too horrible; not so horrible; not that horrible; not very horrible;
            not terribly horrible; not all that horrible; nothing tragic; nothing too tragic; nothing that
            tragic; not too tragic; not so tragic; not that tragic; not very tragic; not terribly tragic;
            not all that tragic; nothing catastrophic; nothing too catastrophic; nothing that catastrophic;
            not too catastrophic; not so catastrophic; not that catastrophic; not very catastrophic; not
            terribly catastrophic; not all that catastrophic; nothing disastrous; nothing too disastrous;
            nothing that disastrous; not too disastrous; not so disastrous; not that disastrous; not very
            disastrous; not terribly disastrous; not all that disastrous; nothing devastating; nothing too
            devastating; nothing that devastating; not too devastating; not so devastating; not that
            devastating; not very devastating; not terribly devastating; not all that devastating; nothing
            fatal; nothing too fatal; nothing that fatal; not too fatal; not so fatal; not that fatal; not
            very fatal; not terribly fatal; not all that fatal; nothing bad; nothing too bad; nothing that
            bad; not too bad; not so bad; not that bad; not very bad; not terribly bad; not all that bad;
            nothing ruinous; nothing too ruinous; nothing that ruinous; not too ruinous; not so ruinous; not
            that ruinous; not very ruinous; not terribly ruinous; not all that ruinous; nothing
            overwhelming; nothing too overwhelming; nothing that overwhelming; not too overwhelming; not so
            overwhelming; not that overwhelming; not very overwhelming; not terribly overwhelming; not all
            that overwhelming; nothing unbearable; nothing too unbearable; nothing that unbearable; not too
            unbearable; not so unbearable; not that unbearable; not very unbearable; not terribly
            unbearable; not all that unbearable; nothing critical; nothing too critical; nothing that
            critical; not too critical; not so critical; not that critical; not very critical; not terribly
            critical; not all that critical; nothing grave; nothing too grave; nothing that grave; not too
            grave; not so grave; not that grave; not very grave; not terribly grave; not all that grave;
            nothing excessive; nothing too excessive; nothing that excessive; not too excessive; not so
            excessive; not that excessive; not very excessive; not terribly excessive; not all that
            excessive; won't ruin; doesn't ruin; does not ruin; not ruin; not a disaster; no disaster; no
            catastrophe; no tragedy; could be worse; nothing that ruins; not the end of the world;
            survivable; watchable; not awful; not terrible; not horrible; not extreme; not dramatic; not
            overwhelming; not catastrophic; nothing serious; nothing too serious; nothing drastic; hardly
            dramatic; far from dramatic
        """,
    ),
)
DEGREE_WORDS: dict[str, int] = {p: states for states, line in _DEGREES for p in phrases_of(line)}
"""The states that a degree word can fairly mean."""

_NEGATIONS = """
        no; not; never; without; none; neither; nor; free of; free from; at no point; at no time; in no way;
        by no means; no longer; not once; not one; not a bit; not a bit of; not the slightest; not the
        least; not the faintest; without the slightest; without any; zero sign of; nobody; no such; not in
        the least; not remotely; nary; minus; sans; not a speck of; not a speck; not a shred of; not a jot
        of; not an ounce of; not a whiff of; not a drop of; not a grain of; not a flicker of; void; avoided;
        avoids; clear from; empty of; innocent of; exempt from; unspoiled by; unspoilt by; unhurt by;
        unharmed by; safe from; steers clear of; doesn't have; does not have; doesn't show; does not show;
        =bare of; devoid of; absence of; lack; lacks; lacking; void of; zero; nothing; cannot; rather than;
        instead of; as opposed to; other than; far from; absent; spared; spares; is rid of; are rid of;
        clear of; no trace
        of; no sign of; not a trace of; not a hint of; no hint of; nowhere; anything but; no evidence of;
        clean of; isn't; aren't; wasn't; weren't; doesn't; don't; didn't; can't; couldn't; hasn't; haven't;
        won't; fails to; escapes; escape; not any; unaffected by; not affected by; not suffer from; immune
        to; no evidence; untouched by; untroubled by; no longer any; unmarred by; =missing; failing to; not
        a single; in the absence of; rules out; ruled out; out of the question; undisturbed by
    """
_WEAK = """
        hardly any; barely any; almost no; next to no; virtually no; practically no; scarcely any; little to
        no; little or no; nearly no; few signs of; few traces of; hardly a hint of; barely a hint of; barely
        a trace of; scarcely a trace of; hardly a sign of; barely a sign of; as good as no; close to no;
        basically no; essentially no; pretty much no; almost zero; nearly zero; mostly without; nearly
        without; practically without; virtually without; not much; not many; minimal to no; little in the
        way of; precious little; almost free of; practically free of; virtually free of; almost without;
        nearly free of; largely free of; hardly a trace of; few if any; mostly free of; little if any
    """
_IDLE = """
        not only; not just; not merely; no doubt; no matter; not to mention; nothing but; nothing short of; no
        wonder; no less than; cannot but; why not; not surprisingly; without doubt; without a doubt; no more
        than; whether or not; not so much; no question; without question
    """
NEGATIONS: dict[str, str] = {
    **dict.fromkeys(phrases_of(_NEGATIONS), "no"),
    **dict.fromkeys(phrases_of(_WEAK), "weak"),
    **dict.fromkeys(phrases_of(_IDLE), "idle"),
}
"""What denies: `no`, `weak` (absent or slight), or `idle` for phrases that only look like it."""

SEEN = frozenset(
    listed("""
        visible present there apparent evident seen noticed noticeable found detected observed exist exists
        occur occurs appear appears show shows happen happens issue problem concern factor detectable
        perceptible discernible exhibited recognizable spotted perceived one suffer spoil affected mentioned
        reported anywhere it any either
    """)
)
"""What follows "is not" where a thing is denied, and not its degree."""
BACK = frozenset(listed("absent nowhere none missing nonexistent undetectable invisible"))
"""Words that deny what stands before them."""

LOOSE_ADJECTIVES = frozenset(
    listed("""
        dark dim darker dimmer dull pale soft softer flat muted steady stable sharp smooth fluid vivid vibrant
        crisp clear gloomy murky noisy shaky grainy saturated flashing blinking shadowy hazy foggy misty drab
        faded
    """)
)
"""Adjectives that speak of quality only where they are said of the picture, its light or its colors."""
OF_PICTURE = frozenset(
    stem
    for stem in (
        listed("""
            video clip footage frame frames picture pictures image images screen shot shots scene recording
            sequence colors color colours colour tones tone look edges edge hues hue contrast exposure focus
            detail details camera motion movement playback handheld appearance texture textures light lighting
            lines impression camerawork view film material quality and or but in on at with to from over as than
            throughout there all because due again enough for since until when where even before after by only
            too during outlines contours blacks whites palette tonality reproduction result noise grain overall
            at all framing pan pans everything all element subject region
        """)
    )
)
"""What such adjectives are then followed by."""
BREAKS = frozenset(
    listed("""
        but although though however yet except whereas while because since despite only besides apart which
        rather
    """)
)
"""Words behind which a denial no longer holds."""
VERBS = frozenset(
    listed("""
        is are was were has have had shows show suffers suffer exhibits exhibit looks look becomes become
        appears appear seems seem contains contain remains remain stays stay there it they makes make gets get
        comes come occurs occur displays display does goes keeps turns starts begins can plays runs holds breaks
        sits lies feels feel leaves covers hits affects mars ruins dominates it's they're that's there's he's she's
            we're you're what's everything's everyone's nothing's something's who's here's
            all's ran went came looked
    """)
)
"""Words by which a new clause is known."""
COPULAS = frozenset(
    listed("""
        is are was were be been remains remain stays stay seems seem looks look appears appear feels as become
        becomes gets considered rated called judged deemed being very quite fairly rather so too only still
        extremely really just at it's they're that's
    """)
)
"""Words before a degree that is said of what stands before them."""
STOPPERS = frozenset(
    listed("""
        a an the this that these is are was were has have had there with in on at from of to for by it its they
        which while when where during causing making makes
    """)
)
"""Words that part a degree from an attribute that stands behind it."""

ADVICE = frozenset(
    listed("""
        avoid prevent reduce lower lessen put mount place turn rid raise get minimize minimise remove fix
        eliminate suppress mitigate should could would might may help helps helped helping can if recommended
        recommend try consider ensure use using instead add increase raise choose improve correct counter cure
        curb tame limit eliminates avoids prevents reduces otherwise must will need needs combat tackle address
        cut stop keep set apply switch usually typically often generally commonly tends dial bring brace pop grab
        drop crank pull push
        brighten darken lift boost strap close meter shoot film record encode export denoise sharpen grade lock let
        hire buy
        wait hold aim ask tell specify render upscale stabilise stabilize wipe pan pick prefer swap replace expose
        retake
        reshoot filter fit attach upgrade slow lean fasten warm calibrate adjust tweak restore repair treat crop shade
        illuminate request give find check open smooth shift
    """)
)
"""Words of sentences that speak of what could be done, or of how things usually are, and not of the clip."""
CAUSES = """
        caused by; due to; because of; resulting from; results from; result of; stem from; stems from; comes
        from; owing to; thanks to; arises from; arise from; triggered by; brought about by; a consequence of;
        introduced by; produced by; as if; like; as though; reminiscent of; resembles; resemble; similar to;
        likely; probably; possibly; perhaps; unlike; typical of; suggests; points to; hints at; culprit;
        presumably; attributed to; explained by; traced to; blame; consistent with; indicates; comes down to
    """
"""Behind these a text gives causes or likenesses: what it names there is no finding."""
RECOVERED = frozenset(
    listed("""
        recover recovers recovered regained regains restored normal again back clears cleared adapts adapted
        adjusts adjusted arrives arrive snaps locks lands returns returned away settles settled vanishes improves
        improved recovering normalizes
    """)
)
"""Words of sentences whose times are those at which a problem is over."""
TOPICS: dict[str, tuple[str, ...]] = {
    "contrast": ("low contrast", "high contrast"),
    "tones": ("low contrast", "high contrast"),
    "color": ("desaturation", "oversaturation"),
    "hues": ("desaturation", "oversaturation"),
    "saturation": ("desaturation", "oversaturation"),
    "palette": ("desaturation", "oversaturation"),
    "brightness": ("overexposure", "underexposure", "flicker"),
    "exposure": ("overexposure", "underexposure", "flicker"),
    "light": ("overexposure", "underexposure", "flicker"),
    "highlights": ("overexposure",),
    "shadows": ("underexposure",),
    "tint": ("flicker", "desaturation", "oversaturation"),
    "edges": ("spatial blur", "motion blur", "interlacing"),
    "outlines": ("spatial blur", "motion blur", "interlacing"),
    "focus": ("spatial blur",),
    "detail": ("spatial blur", "motion blur", "compression artifact"),
    "texture": ("compression artifact", "spatial blur"),
    "movement": ("stuttering", "low frame rate", "motion blur"),
    "motion": ("stuttering", "low frame rate", "motion blur"),
    "playback": ("stuttering", "low frame rate"),
    "camera": ("camera shake",),
    "framing": ("camera shake",),
    "dark": ("underexposure", "low contrast"),
    "black": ("underexposure", "low contrast", "high contrast"),
    "bright": ("overexposure",),
    "white": ("overexposure", "low contrast"),
    "fuzz": ("noise", "spatial blur"),
    "shadow": ("underexposure",),
    "stream": ("quality switch", "stuttering"),
    "encoder": ("compression artifact", "block effect", "quality switch"),
    "codec": ("compression artifact", "block effect", "quality switch"),
}
"""What a question that names no attribute may be about, by the words that it has instead."""
ONLY_ASKED = frozenset(listed("any whether if either which or"))
"""Words before an attribute that is asked for in a question, and not taken for granted."""
ALSO = frozenset(listed("other further additional else another"))
"""Words that set apart what was named already: "no other artifacts" denies nothing that was named."""
